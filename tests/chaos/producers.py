"""What lands below curated/: deliveries that are whole, early, repeated, abandoned, late, or bad."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from tests.chaos.account import UNCOPIED, Bucket
from tests.chaos.clock import Clock

HEADER: Final = "age,sibsp,parch,fare,pclass,sex,embarked,survived"
MARKER: Final = "_SUCCESS"

HOSTILE: Final = (
    "train/täin wörk 100%.csv",
    "train/a=b&c?d#e+f.csv",
    "train/line\nbreak.csv",
    "train/'; DROP TABLE.csv",
    "train/../../escape.csv",
    "train/" + "k" * 980 + ".csv",
    "validation/日本語.csv",
    "train/_temporary/0/part-0.csv",
    "train/part-0",
)
"""Keys below a model's folder that programs get wrong."""

LONG: Final = "\x01" * 900
"""Part of a key that S3 takes: in JSON each of its characters has six bytes."""

Wait = float
"""What a delivery yields: the seconds until its next step."""


class Producer:
    """Delivers to one model. `quality` tells by version id whether an object is good or bad.

    `pairs` are the ids of the two markers of each delivery by a pair, of which no root's marker landed in
    between. Such a delivery runs alone: nothing tells the halves of deliveries apart that overlap.
    """

    def __init__(self, model: str, marks: bool, clock: Clock, bucket: Bucket, rng: Random) -> None:
        self.model, self.marks, self._clock, self._bucket, self._rng = model, marks, clock, bucket, rng
        self.quality: dict[str, str] = {}
        self.count: Counter[str] = Counter()
        self.pairs: list[tuple[str, str]] = []
        self._under_way = 0
        self._alone = False
        self._order = self._rng.sample(["train", "validation"], 2)
        self._contents = 0
        self._last: dict[str, bytes] = {}
        self._kinds: dict[str, tuple[int, Callable[[], Iterator[Wait]]]] = {
            "whole": (8, self._whole),
            "same again": (2, self._same_again),
            "early marker": (2, self._early_marker),
            "overwritten marker": (2, self._overwritten_marker),
            "abandoned": (3, self._abandoned),
            "late file": (3, self._late_file),
            "bad file": (4, self._bad_file),
            "deletion": (2, self._deletion),
            "hostile names": (2, self._hostile_names),
            "wide bad files": (1, self._wide_bad_files),
            "many bad files": (1, self._many_bad_files),
            "bad file that cannot be copied": (1, self._uncopied),
            "unreadable object": (1, self._unreadable),
            "marker alone": (1, self._marker_alone),
            "pair of markers": (3, self._pair),
        }

    def deliver(self, kind: str | None = None) -> None:
        """Begin one delivery, of this kind or one that is drawn; later if one by a pair is under way."""
        if self._alone:
            self._clock.after(60.0, lambda: self.deliver(kind))
            return
        weights = [weight for weight, _ in self._kinds.values()]
        kind = kind or self._rng.choices(list(self._kinds), weights)[0]
        self.count[kind] += 1
        self._under_way += 1
        self._go_on(self._kinds[kind][1]())

    def _go_on(self, steps: Iterator[Wait]) -> None:
        wait = next(steps, None)
        if wait is None:
            self._under_way -= 1
        else:
            self._clock.after(wait, lambda: self._go_on(steps))

    def put(self, rest: str, body: bytes, quality: str = "good") -> str:
        """Put an object below the model's folder. Returns its version id."""
        key = f"curated/{self.model}/{rest}"
        version = self._bucket.put_object(Key=key, Body=body)["VersionId"]
        self.quality[version] = quality
        self._bucket.leave(key)
        return version

    def delete(self, rest: str) -> None:
        """Put a delete marker on an object below the model's folder."""
        key = f"curated/{self.model}/{rest}"
        self._bucket.delete_object(Key=key)
        self._bucket.leave(key)

    def mark(self) -> None:
        """Put the marker, where the model has one."""
        if self.marks:
            self.put(MARKER, b"", "marker")

    def _content(self, quality: str = "good") -> bytes:
        self._contents += 1
        row = f"{20 + self._contents},1,0,{self._contents}.5,3,male,S,{self._contents % 2}"
        header = HEADER if quality == "good" else HEADER.replace("age", "aeg")
        return f"{header}\n{row}\n{row}1\n".replace("S,11", "S,1").replace("S,01", "S,0").encode()

    def _files(self, names: tuple[str, ...] = ("train.csv", "validation.csv")) -> Iterator[Wait]:
        for name in names:
            self._last[name] = self._content()
            self.put(name, self._last[name])
            yield self._rng.choice([0.2, 1.0, 7.0, 45.0])

    def _whole(self) -> Iterator[Wait]:
        yield from self._files(
            self._rng.choice([("train.csv", "validation.csv"), ("train/a.csv", "validation/a.csv")])
        )
        self.mark()

    def _pair(self) -> Iterator[Wait]:
        """Each split's job ends with a marker in the split's folder. A job may die, or run again alone.

        A person who is told of a half that is left lands the root's marker.
        """
        self._alone = True
        while self._under_way > 1:
            yield 10.0
        roots = self._roots()
        markers = []
        for split in self._order:
            yield from self._files((f"{split}/part-0.csv",))
            markers.append(self._mark_split(split))
            if self._rng.random() < 0.1:
                break
            yield self._rng.choice([1.5, 20.0, 300.0])
        whole = len(markers) == 2 and self._roots() == roots
        if whole:
            self.pairs.append((markers[0], markers[1]))
        again = whole and self._rng.random() < 0.2
        if again:
            yield from self._files((f"{self._order[1]}/part-0.csv",))
            self._mark_split(self._order[1])
        if not whole or again:
            yield self._rng.choice([60.0, 600.0])
            self.mark()
        self._alone = False

    def _mark_split(self, split: str) -> str:
        return self.put(f"{split}/{MARKER}", b"", "marker") if self.marks else ""

    def _roots(self) -> list[str]:
        """The ids of the root's marker's versions."""
        return [it[0] for it in self._bucket.versions.get(f"curated/{self.model}/{MARKER}", [])]

    def _same_again(self) -> Iterator[Wait]:
        for name, body in list(self._last.items()):
            self.put(name, body)
            yield 1.0
        self.mark()

    def _early_marker(self) -> Iterator[Wait]:
        self.mark()
        yield self._rng.choice([0.5, 90.0])
        yield from self._files()
        if self._rng.random() < 0.6:
            self.mark()

    def _overwritten_marker(self) -> Iterator[Wait]:
        yield from self._whole()
        for _ in range(self._rng.randint(1, 3)):
            yield self._rng.choice([0.3, 3.0, 100.0])
            self.mark()

    def _abandoned(self) -> Iterator[Wait]:
        yield from self._files((self._rng.choice(["train.csv", "validation.csv"]),))

    def _late_file(self) -> Iterator[Wait]:
        yield from self._whole()
        yield self._rng.choice([0.4, 2.0, 20.0])
        yield from self._files((self._rng.choice(["train.csv", "train/late.csv"]),))

    def _bad_file(self) -> Iterator[Wait]:
        yield from self._files()
        name = self._rng.choice(["train.csv", "validation.csv", "train/extra.csv"])
        self.put(name, self._content("bad"), "bad")
        yield 2.0
        self.mark()
        follows = self._rng.choices(["nothing", "deleted", "corrected"], [2, 4, 6])[0]
        if follows == "nothing":
            return
        # Often while functions look at the file, or move it.
        yield self._rng.choice([self._rng.uniform(0.1, 8.0), self._rng.uniform(0.1, 70.0), 600.0, 1500.0])
        if follows == "deleted":
            self.delete(name)
            return
        self.put(name, self._content())
        yield self._rng.choice([2.0, 60.0])
        self.mark()

    def _deletion(self) -> Iterator[Wait]:
        yield from self._whole()
        yield self._rng.choice([0.4, 2.0, 30.0])
        self.delete(self._rng.choice(["train.csv", "validation.csv"]))

    def _hostile_names(self) -> Iterator[Wait]:
        quality = self._rng.choice(["good", "good", "bad"])
        name = self._rng.choice(HOSTILE)
        self.put(name, self._content(quality), quality)
        yield 1.0
        yield from self._whole()

    def _wide_bad_files(self) -> Iterator[Wait]:
        wide = f"{HEADER},{'w' * 120_000}\n".replace("age", "aeg").encode()
        for number in range(4):
            self.put(f"train/wide-{number}.csv", wide + str(self._contents).encode() + b"\n", "bad")
        yield 1.0
        yield from self._whole()

    def _many_bad_files(self) -> Iterator[Wait]:
        long = self._rng.choice(["", LONG])
        for number in range(60):
            self.put(f"train/many/{long}part-{number:02}.csv", self._content("bad"), "bad")
        yield 1.0
        yield from self._whole()

    def _uncopied(self) -> Iterator[Wait]:
        self.put(f"train{UNCOPIED}", self._content("bad"), "bad")
        yield 1.0
        yield from self._whole()
        yield 600.0
        yield from self._whole()

    def _unreadable(self) -> Iterator[Wait]:
        key = f"curated/{self.model}/train/cold.csv"
        self._bucket.archived.add(key)
        self.put("train/cold.csv", self._content(), "unreadable")
        yield 1.0
        yield from self._whole()
        if self._rng.random() < 0.5:
            yield self._rng.choice([200.0, 2000.0])
            self.delete("train/cold.csv")
            yield 1.0
            self.mark()

    def _marker_alone(self) -> Iterator[Wait]:
        self.mark()
        yield 0.1
