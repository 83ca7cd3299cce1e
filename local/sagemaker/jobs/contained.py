"""A job that runs in its image itself, by Docker."""

from collections.abc import Sequence
from dataclasses import dataclass

from local.images.docker import Docker
from local.sagemaker.errors import ClientError
from local.sagemaker.jobs import container
from local.sagemaker.jobs.processes import End, Started, start


@dataclass(frozen=True)
class Contained(Started):
    """A job that is being run in a container of the image `uri`."""

    uri: str
    docker: Docker

    def processing(self) -> tuple[End, int]:
        """Run a Processing job; why its program ended, and its exit code. Raises ClientError."""
        request = self.job.request
        container.configure_processing(self.place, self.job.arn, request)
        application = request["AppSpecification"]
        return self._run(
            application.get("ContainerEntrypoint", []), application.get("ContainerArguments", [])
        )

    def training(self) -> tuple[End, int]:
        """Run a Training job; why its program ended, and its exit code. Raises ClientError.

        Without a program of its own the image is called with `train`, and its toolkit finds the source
        directory where it would have put it.
        """
        request = self.job.request
        container.configure_training(self.place, request)
        algorithm = request["AlgorithmSpecification"]
        arguments = [] if "ContainerEntrypoint" in algorithm else ["train"]
        return self._run(
            algorithm.get("ContainerEntrypoint", []), algorithm.get("ContainerArguments", arguments)
        )

    def _run(self, entry_point: Sequence[str], arguments: Sequence[str]) -> tuple[End, int]:
        request, name = self.job.request, f"handsoff-{self.job.name}"
        variables = {key: value for key, value in self.variables.items() if key.startswith("AWS_")}
        if self.job.kind == "Training":
            variables |= {"TRAINING_JOB_NAME": self.job.name, "TRAINING_JOB_ARN": self.job.arn}
        variables |= request.get("Environment", {})
        self.output.say(f"Docker runs the image {self.uri} itself")
        command = self.docker.run_command(self.uri, name, self.place.ml, variables, entry_point, arguments)
        try:
            process = start(command, self.docker.environment, self.place.root)
            return self.watch(process)
        finally:
            self.docker.end(name)
            self.docker.give_back(self.uri, self.place.ml)


def unknown(uri: str, known: Sequence[str]) -> ClientError:
    """The fault of a job whose image is neither known nor pulled."""
    return ClientError(
        f"Cannot find the image {uri or '(none is named)'} on this machine, which has the packages of "
        f"{', '.join(known)}. With Docker it runs any image that was pulled: docker pull {uri}"
    )
