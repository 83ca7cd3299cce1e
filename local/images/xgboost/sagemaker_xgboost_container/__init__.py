"""Stands in for the package of SageMaker's XGBoost image, which is on no index.

It has what scripts import: data_utils, encoder and distributed. Written anew after the behaviour of
aws/sagemaker-xgboost-container. Pipes, RecordIO and several instances are not supported on this machine.
"""
