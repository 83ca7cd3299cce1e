"""What all operations of SageMaker share: checked requests, pages, tokens, tags, and moto for the rest."""
