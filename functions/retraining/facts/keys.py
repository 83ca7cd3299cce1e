"""Every key of the ledger. A key is a word, then what it is about, separated by #.

Most keys import the kind of their fact when they are made: a path makes few, and kinds take time to make.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.facts.claims import Claim
from retraining.facts.fact import Key
from retraining.facts.proof import ChainFact, CopyFact, RecordedFact

if TYPE_CHECKING:
    from retraining.facts.anchors import AnchorFact, LooksFact
    from retraining.facts.candidates import DecisionFact, InView, SlackMessage, Trouble, VerdictFact
    from retraining.facts.model_state import ModelFact
    from retraining.facts.notifications import RecentFact
    from retraining.facts.pauses import PauseFact
    from retraining.facts.starts import (
        BatchStarted,
        ExecutionFact,
        KnownExecutions,
        Quarantined,
        Released,
        RequestAnswered,
        StartFact,
        StopAsked,
        Stray,
    )
    from retraining.facts.sweep import SweepFact

# ---- starts ----------------------------------------------------------------------------------------------


def model(name: str) -> Key[ModelFact]:
    """Who asks for a start of this model, and what runs."""
    from retraining.facts.model_state import ModelFact

    return Key(f"model#{name}", ModelFact)


def paused(name: str) -> Key[PauseFact]:
    """The last pause of this model, which may be over."""
    from retraining.facts.pauses import PauseFact

    return Key(f"paused#{name}", PauseFact)


def start(start_key: str) -> Key[StartFact]:
    """A start that became an execution."""
    from retraining.facts.starts import StartFact

    return Key(f"start#{start_key}", StartFact)


def batch(name: str, identity: str) -> Key[BatchStarted]:
    """This batch of this model, named by its identity or its listing, has been started."""
    from retraining.facts.starts import BatchStarted

    return Key(f"batch#{name}#{identity}", BatchStarted)


def asked(name: str, cause: str) -> Key[RequestAnswered]:
    """This request to retrain this model, or this time of its schedule, has been answered."""
    from retraining.facts.starts import RequestAnswered

    return Key(f"asked#{name}#{cause}", RequestAnswered)


def released(name: str, etag: str, key: str) -> Key[Released]:
    """A person put this file of this model back from quarantine."""
    from retraining.facts.starts import Released

    return Key(f"released#{name}#{etag}#{key}", Released)


def quarantined(name: str, key: str, version_id: str) -> Key[Quarantined]:
    """This version of a file of this model was found bad and taken out of every batch."""
    from retraining.facts.starts import Quarantined

    return Key(f"quarantined#{name}#{version_id}#{key}", Quarantined)


def stray(name: str) -> Key[Stray]:
    """An object landed for this model, which does not exist."""
    from retraining.facts.starts import Stray

    return Key(f"stray#{name}", Stray)


def execution(arn: str) -> Key[ExecutionFact]:
    """The execution of this ARN."""
    from retraining.facts.starts import ExecutionFact

    return Key(f"execution#{arn}", ExecutionFact)


def stop_asked(arn: str) -> Key[StopAsked]:
    """A person asked to stop the execution of this ARN."""
    from retraining.facts.starts import StopAsked

    return Key(f"stop#{arn}", StopAsked)


def known_executions(name: str) -> Key[KnownExecutions]:
    """The newest executions of this model, as far as the ledger holds them."""
    from retraining.facts.starts import KnownExecutions

    return Key(f"executions#{name}", KnownExecutions)


def execution_trouble(arn: str) -> Key[Trouble]:
    """The sweep could not record the end of this execution."""
    from retraining.facts.candidates import Trouble

    return Key(f"trouble#{arn}", Trouble)


# ---- candidates, by the ARN of the model package ----------------------------------------------------------


def verdict(package_arn: str) -> Key[VerdictFact]:
    """What the rules said of it."""
    from retraining.facts.candidates import VerdictFact

    return Key(f"verdict#{package_arn}", VerdictFact)


def decision(package_arn: str) -> Key[DecisionFact]:
    """Who approved or rejected it."""
    from retraining.facts.candidates import DecisionFact

    return Key(f"decision#{package_arn}", DecisionFact)


def trouble(package_arn: str) -> Key[Trouble]:
    """The sweep could not bring it to its end."""
    from retraining.facts.candidates import Trouble

    return Key(f"trouble#{package_arn}", Trouble)


def reminder_trouble(package_arn: str) -> Key[Trouble]:
    """The sweep could not remind of it, or reject it, although it waits without a verdict."""
    from retraining.facts.candidates import Trouble

    return Key(f"trouble#{package_arn}#reminder", Trouble)


def in_view(group: str) -> Key[InView]:
    """Packages of this model package group at which the sweep looks however old they are."""
    from retraining.facts.candidates import InView

    return Key(f"open#{group}", InView)


def anchor(group: str) -> Key[AnchorFact]:
    """The anchor of this model package group."""
    from retraining.facts.anchors import AnchorFact

    return Key(f"anchor#{group}", AnchorFact)


def looks(group: str, validation: str) -> Key[LooksFact]:
    """The looks of this model package group at the validation rows with this identity."""
    from retraining.facts.anchors import LooksFact

    return Key(f"looks#{group}#{validation}", LooksFact)


def group_lease(group: str) -> Key[Claim]:
    """A candidate of this model package group is being approved now."""
    return Key(f"lease#{group}", Claim)


# ---- what people are told --------------------------------------------------------------------------------


def notification(identity: str) -> Key[Claim]:
    """This notification is being published, or has been."""
    return Key(f"notification#{identity}", Claim)


def recent_notifications(name: str) -> Key[RecentFact]:
    """The newest notifications about this model."""
    from retraining.facts.notifications import RecentFact

    return Key(f"notifications#{name}", RecentFact)


def rollback(identity: str) -> Key[Claim]:
    """The event of this roll-back is being put on the bus, or has been."""
    return Key(f"rollback#{identity}", Claim)


def bus_event(detail_type: str, identity: str) -> Key[Claim]:
    """This event is being put on the bus, or has been. A roll-back's has a key of its own."""
    return Key(f"event#{detail_type}#{identity}", Claim)


def slack_notification(identity: str) -> Key[Claim]:
    """This notification is being told in Slack, or has been."""
    return Key(f"slack#{identity}", Claim)


def slack_message(package_arn: str) -> Key[SlackMessage]:
    """The message in Slack that tells of this package."""
    from retraining.facts.candidates import SlackMessage

    return Key(f"slack#{package_arn}", SlackMessage)


def slack_lease(package_arn: str) -> Key[Claim]:
    """The message in Slack about this package is being changed now."""
    return Key(f"lease#slack#{package_arn}", Claim)


# ---- evidence records ------------------------------------------------------------------------------------


def chain(name: str) -> Key[ChainFact]:
    """The last evidence record of this model."""
    return Key(f"chain#{name}", ChainFact)


def recorded(execution_arn: str) -> Key[RecordedFact]:
    """The last evidence record about this execution."""
    return Key(f"recorded#{execution_arn}", RecordedFact)


def copy(execution_arn: str, digest: str) -> Key[CopyFact]:
    """The evidence.json of this execution whose bytes have this SHA-256 is one of ours."""
    return Key(f"recorded#{execution_arn}#{digest}", CopyFact)


# ---- the sweep -------------------------------------------------------------------------------------------


def sweep() -> Key[SweepFact]:
    """The sweep that runs each minute: whether one runs, and where the next begins."""
    from retraining.facts.sweep import SweepFact

    return Key("sweep#", SweepFact)
