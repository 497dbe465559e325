"""The task `dataset`: any torch dataset in, a task out; torchvision's own, and faulty ones of a user's."""

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, TensorDataset
from torchvision.datasets import FakeData

from cropworth.config import parse
from cropworth.data.build import build_task
from cropworth.data.config import TorchDataset
from cropworth.data.task import Task
from cropworth.errors import CropworthError, ManyError


class Listed(Dataset[Any]):
    """Items in a list; one that is an exception is raised."""

    def __init__(self, items: list[Any], length: int | None = None) -> None:
        self.items, self.length = items, len(items) if length is None else length
        self.cannot_be_pickled = lambda: None

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Any:
        item = self.items[index]
        if isinstance(item, Exception):
            raise item
        return item


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What a plan names as `own`."""
    found = ModuleType("own")
    monkeypatch.setitem(sys.modules, "own", found)
    return found


def read(name: str = "own:made", **settings: object) -> Task:
    return build_task(parse(TorchDataset, {"task": "dataset", "dataset": name, "image_size": 16, **settings}))


def made(module: ModuleType, items: list[Any], **settings: object) -> Task:
    module.made = Listed(items)  # type: ignore[attr-defined]
    return read(**settings)


def shade(value: int, side: int = 16) -> torch.Tensor:
    return torch.full((1, side, side), value, dtype=torch.uint8)


def pictures(count: int = 24) -> list[Any]:
    return [(shade(n), n % 2) for n in range(count)]


def train(task: Task) -> Any:
    return task.training_epoch(task.train_limit, 0, 0)


FAKE = {"size": 60, "image_size": [3, 20, 30], "num_classes": 3}


def test_a_class_of_torchvision_and_its_arguments() -> None:
    task = read("torchvision.datasets:FakeData", arguments=FAKE)
    assert (task.classes, task.channels, task.size, task.is_sequence) == (("0", "1", "2"), 3, (16, 16), False)
    assert task.train_limit + len(task.validation) + len(task.test) == 60
    expected = FakeData(**FAKE)  # type: ignore[arg-type]
    for items, split in ((task.validation, "val"), (task.test, "test")):
        names = [row.name for row in task.placed if row.split == split]
        assert items.labels.tolist() == [int(expected[int(name)][1]) for name in names]
    assert read("torchvision.datasets:FakeData", arguments=FAKE).fingerprint() == task.fingerprint()
    assert read("torchvision.datasets:FakeData", arguments=FAKE, fit="pad").fingerprint() != task.fingerprint()
    assert not task.reading


def test_arguments_of_each_split() -> None:
    of = {"train": {"size": 30}, "test": {"size": 20, "random_offset": 1000}}
    task = read("torchvision.datasets:FakeData", arguments=FAKE, arguments_of=of, validation_share=0.2)
    assert (task.train_limit, len(task.validation), len(task.test)) == (24, 6, 20)
    assert {row.split for row in task.placed if row.name.startswith("test/")} == {"test"}
    with pytest.raises(CropworthError, match="train/0 in train, the same content as test/0 in test"):
        read("torchvision.datasets:FakeData", arguments=FAKE, arguments_of={"train": {}, "test": {}})


def test_a_plan_of_it_can_be_remembered() -> None:
    """As a worker process does, which reads the data once."""
    plain = {"task": "dataset", "dataset": "own:made", "arguments": {"sizes": [1, {"of": 2}]}}
    one, same = (parse(TorchDataset, plain) for _ in range(2))
    other = parse(TorchDataset, plain | {"arguments": {"sizes": [1, {"of": 3}]}})
    assert len({one, same, other}) == 2


def test_a_function_that_gives_a_dataset(module: ModuleType) -> None:
    module.made = lambda count: Listed(pictures(count))  # type: ignore[attr-defined]
    assert len(read(arguments={"count": 30}).placed) == 30
    with pytest.raises(CropworthError, match=r"own:made, which raises TypeError: .*Check data\.arguments"):
        read()


def test_every_sort_of_image_is_one(module: ModuleType) -> None:
    items: list[Any] = []
    for n in range(0, 240, 10):
        of_n = [
            Image.new("L", (16, 16), n), shade(n), shade(n).numpy(), shade(n).expand(3, -1, -1), shade(n) / 255.0,
            Image.new("RGB", (16, 16), (n, n, n)),
        ]  # fmt: skip
        items.append((of_n[n // 10 % len(of_n)], n >= 120))
    for channels, bits in ((1, 8), (3, 8), (1, 16)):
        task = made(module, items, channels=channels, bits=bits)
        inputs = train(task).inputs
        assert inputs.dtype == (torch.uint8 if bits == 8 else torch.float32)
        assert tuple(inputs.shape[1:]) == (channels, 16, 16)
        whole = torch.cat([inputs, task.validation.inputs, task.test.inputs]) * (1 if bits == 8 else 255)
        assert (whole == whole[:, :1, :1, :1]).all() or bits == 16
        assert sorted(whole[:, 0, 0, 0].round().int().tolist()) == list(range(0, 240, 10))


def test_boxes_follow_the_fit_and_values_their_item(module: ModuleType) -> None:
    # Wide images, of which the central square is kept: a quarter of the width is cut on each side.
    items: list[Any] = [
        {"input": torch.full((3, 16, 32), n, dtype=torch.uint8), "label": "ab"[n % 2], "value": n, "box": box}
        for n, box in enumerate([(0.5, 0.5, 0.25, 0.5), torch.tensor([0.1, 0.5, 0.2, 0.2]), None] * 8)
    ]
    task = made(module, items)
    assert task.classes == ("a", "b")
    for part in (train(task), task.validation, task.test):
        numbers = part.inputs[:, 0, 0, 0].tolist()
        assert part.values is not None
        assert part.boxes is not None
        assert part.values.tolist() == numbers
        assert part.labels.tolist() == [n % 2 for n in numbers]
        for n, box in zip(numbers, part.boxes, strict=True):
            if n % 3:
                assert box.isnan().all()
            else:
                torch.testing.assert_close(box, torch.tensor([0.5, 0.5, 0.5, 0.5]))


def test_groups_stay_whole(module: ModuleType) -> None:
    items = [{"input": shade(n), "label": n % 2, "group": torch.tensor(n // 4)} for n in range(40)]
    task = made(module, items)
    of_group: dict[str, set[str]] = {}
    for row in task.placed:
        of_group.setdefault(row.group, set()).add(row.split)
    assert set(of_group) == {str(n) for n in range(10)}
    assert all(len(splits) == 1 for splits in of_group.values())


def test_the_latest_are_tested(module: ModuleType) -> None:
    items = [{"input": shade(n), "label": n % 2, "time": f"2024-01-{n + 1:02}"} for n in range(20)]
    task = made(module, items)
    assert sorted(task.test.inputs[:, 0, 0, 0].tolist()) == list(range(15, 20))


def test_series(module: ModuleType) -> None:
    items = [(np.full((2 + n % 4, 3), n, dtype=np.float64), float(n)) for n in range(20)]
    task = made(module, items, target="number")
    assert (task.classes, task.channels, task.size, task.is_sequence) == ((), 3, (5,), True)
    for part in (train(task), task.validation, task.test):
        assert part.lengths is not None
        assert part.lengths.tolist() == [2 + int(label) % 4 for label in part.labels]
        assert part.inputs[:, 0, 0].tolist() == part.labels.tolist()
    assert len(task.placed) == 20


def test_texts(module: ModuleType) -> None:
    items = [(torch.tensor([1, 2 + n, 0, 3, 0, 0]), torch.tensor(n % 2)) for n in range(20)]
    task = made(module, items, classes=["no", "yes"])
    assert (task.classes, task.channels, task.vocabulary) == (("no", "yes"), 0, 22)
    assert task.test.lengths is not None
    assert set(task.test.lengths.tolist()) == {4}  # the zeros at the end are none of it
    assert [int(words[1]) % 2 for words in task.test.inputs] == task.test.labels.tolist()


def test_a_dataset_of_tensors(module: ModuleType) -> None:
    module.made = TensorDataset(torch.rand(20, 4, 2), torch.arange(20) % 2)  # type: ignore[attr-defined]
    assert read().channels == 2


def test_names_of_classes(module: ModuleType) -> None:
    listed = Listed(pictures())
    listed.classes = ["cat", "dog", "cow"]  # type: ignore[attr-defined]
    module.made = listed  # type: ignore[attr-defined]
    assert read().classes == ("cat", "dog")  # no image shows a cow
    assert read(classes=["x", "y"]).classes == ("x", "y")
    assert made(module, [(shade(n), n % 12) for n in range(60)]).classes == tuple(map(str, range(12)))


def test_what_a_dataset_draws_is_drawn_once(module: ModuleType) -> None:
    class Noisy(Listed):
        def __getitem__(self, index: int) -> Any:
            return torch.rand(1, 16, 16), index % 2

    module.made = Noisy([None] * 20)  # type: ignore[attr-defined]
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first = read().fingerprint()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(4)
    assert read().fingerprint() == first
    assert read(split_seed=1).fingerprint() != first


GOOD = shade(255)
BAD: list[tuple[Any, str]] = [
    (RuntimeError("no file"), "which raises RuntimeError: no file; expected one of"),
    (GOOD, "a Tensor; expected (input, label), or a mapping"),
    ((GOOD, 1, 2), "a tuple of 3"),
    ({"image": GOOD, "label": 1}, "keys image, label; expected (input, label)"),
    ({"input": GOOD}, "keys input; expected"),
    (("a.png", 1), "an input of type str; expected an image"),
    ((GOOD[0], 1), "an input of uint8 and shape (16, 16); expected an image"),
    ((torch.rand(16), 1), "an input of float32 and shape (16,)"),
    ((torch.rand(5, 16, 16), 1), "an image of shape (5, 16, 16); expected (1, H, W) or (3, H, W)"),
    ((torch.rand(3, 0, 16), 1), "an input of float32 and shape (3, 0, 16)"),
    ((torch.full((3, 16, 16), 2.5), 1), "an image of floats from 2.5 to 2.5; expected floats from 0 to 1"),
    ((torch.full((3, 16, 16), torch.nan), 1), "an image of floats from nan"),
    ((np.array([object()]), 1), "an input (can't convert"),
    ((torch.rand(4, 3), 1), "series; expected images, as most items are"),
    ((GOOD, -1), "the label -1; expected an index or a name"),
    ((GOOD, 0.5), "the label 0.5"),
    ((GOOD, torch.tensor([1, 0])), "the label a Tensor"),
    ({"input": GOOD, "label": 1, "box": (0.5, 0.5, 0, 1)}, "the box (0.5, 0.5, 0, 1); expected (cx, cy, w, h)"),
    ({"input": GOOD, "label": 1, "box": (10, 10, 4, 4)}, "the box (10, 10, 4, 4)"),
]
LATER: list[tuple[Any, str]] = [
    ({"input": GOOD, "label": 1, "box": "none"}, "the box 'none'"),
    ({"input": GOOD, "label": 1, "value": 2, "group": " "}, "no group"),
    ({"input": GOOD, "label": 1}, "no value; expected a number, as others have one"),
    ({"input": GOOD, "label": 1, "value": -1}, "the value -1; expected a number from 0"),
]


@pytest.mark.parametrize("cases", [BAD, LATER])
def test_all_problems_are_named_at_once_or_left_out(module: ModuleType, cases: list[tuple[Any, str]]) -> None:
    valued = cases is LATER
    whole = [{"input": image, "label": label, **({"value": 1} if valued else {})} for image, label in pictures()]
    items = whole + [item for item, _ in cases]
    with pytest.raises(ManyError) as caught:
        made(module, items)
    said = [str(problem).removeprefix("got own:made, item ") for problem in caught.value.problems]
    assert len(said) == len(cases)
    for index, (_, message) in enumerate(cases, start=24):
        assert any(line.startswith((f"{index}: {message}", f"{index}, {message}")) for line in said), (message, said)
    task = made(module, items, on_bad_item="skip")
    assert len(task.placed) == 24
    assert task.warnings[0].startswith(f"Left out of the data: items that cannot be used, {len(cases)}; the first is")


def test_series_that_cannot_be_used(module: ModuleType) -> None:
    items: list[Any] = [(torch.rand(4, 2), n % 2) for n in range(20)]
    odd = [torch.rand(4, 3), torch.rand(1, 2), torch.full((3, 2), torch.inf), torch.tensor([1, 2])]
    with pytest.raises(
        CropworthError,
        match=r"(?s)item 20: values of shape \(4, 3\).*21: 1 steps.*22: a number that is not finite.*23: texts;",
    ):
        made(module, items + [(values, 1) for values in odd])
    with pytest.raises(CropworthError, match="item 0: a box of what is no image"):
        made(module, [{"input": values, "label": label, "box": (0, 0, 1, 1)} for values, label in items])


def test_words_that_cannot_be_used(module: ModuleType) -> None:
    items: list[Any] = [(torch.tensor([1, 2, 3 + n]), n % 2) for n in range(20)]
    bad = [torch.tensor([-1, 2]), torch.tensor([1, 2**40]), torch.tensor([0, 0])]
    with pytest.raises(
        CropworthError, match=r"(?s)item 20: numbers of words from -1.*21: .*to 1099511627776.*22: an empty document"
    ):
        made(module, items + [(words, 1) for words in bad])


def test_labels_that_are_no_numbers(module: ModuleType) -> None:
    items: list[Any] = [(shade(n), float(n)) for n in range(20)]
    for label, said in (("7", "'7'"), (float("nan"), "nan"), (None, "a NoneType")):
        with pytest.raises(CropworthError, match=f"item 20: the label {said}; expected a finite number"):
            made(module, [*items, (GOOD, label)], target="number")


def test_labels_beyond_the_names(module: ModuleType) -> None:
    for label in (2, "maybe"):
        with pytest.raises(
            CropworthError, match=f"item 24: the label {label!r}; expected an index below 2 or one of no"
        ):
            made(module, [*pictures(), (GOOD, label)], classes=["no", "yes"])


def test_an_image_that_pillow_cannot_read(module: ModuleType) -> None:
    class Lazy(Image.Image):
        def load(self) -> Any:
            raise OSError("truncated")

    with pytest.raises(CropworthError, match=r"item 24: an image \(truncated\)"):
        made(module, [*pictures(), (Lazy(), 1)])


def test_a_length_that_lies(module: ModuleType) -> None:
    module.made = Listed(pictures(), length=26)  # type: ignore[attr-defined]
    with pytest.raises(
        CropworthError, match=r"(?s)item 24, which raises IndexError.*item 25, .*expected one of 26 items"
    ):
        read()
    assert len(read(on_bad_item="skip").placed) == 24


def test_not_every_item_of_a_useless_dataset_is_read(module: ModuleType) -> None:
    items = [(shade(0) - 0.5, 0)] * 1000
    with pytest.raises(ManyError) as caught:
        made(module, items)
    assert len(caught.value.problems) == 22
    assert "own:made: 980 items after them, which were not read" in str(caught.value)
    with pytest.raises(CropworthError, match="without an item that can be used"):
        made(module, items, on_bad_item="skip")


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        yield from pictures()


class Unsized:
    def __getitem__(self, index: int) -> Any:
        return pictures()[index]


def raising() -> None:
    raise KeyError("root")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Endless, "a Endless; expected a dataset with a length"),
        (Unsized, "whose length raises TypeError"),
        (raising, r"which raises KeyError: 'root', given {}"),
        (lambda: 3, "a int; expected a dataset with a length"),
        (3, "a int; expected a dataset"),
        (lambda: Listed([]), "of length 0"),
        (lambda: Listed([], length=-1), r"whose length raises ValueError"),
    ],
)
def test_what_is_no_dataset(module: ModuleType, found: Callable[[], Any], said: str) -> None:
    module.made = found  # type: ignore[attr-defined]
    with pytest.raises(CropworthError, match=f"^got own:made, {said}" if said[0] != "o" else f"own:made {said}"):
        read()


def test_names_that_are_not_there(module: ModuleType) -> None:
    for name in ("own:gone", "gone_module:made", "own"):
        with pytest.raises(CropworthError, match=f"the dataset '{name}'"):
            read(name)
    module.made = Listed(pictures())  # type: ignore[attr-defined]
    with pytest.raises(CropworthError, match="own:made, a Listed, and arguments for it"):
        read(arguments={"items": []})


def test_splits_that_disagree_on_the_classes(module: ModuleType) -> None:
    def one(names: list[str], start: int) -> Dataset[Any]:
        listed = Listed([(shade(start + n), n % 2) for n in range(20)])
        listed.classes = names  # type: ignore[attr-defined]
        return listed

    module.made = one  # type: ignore[attr-defined]
    of = {"train": {"names": ["a", "b"], "start": 0}, "test": {"names": ["b", "a"], "start": 100}}
    with pytest.raises(CropworthError, match=r"own:made for test with the classes .*Set data\.classes"):
        read(arguments_of=of)
    assert read(arguments_of=of, classes=["a", "b"]).classes == ("a", "b")


@given(labels=st.lists(st.integers(0, 2), min_size=30, max_size=60), seed=st.integers(0, 3))
def test_no_item_is_lost_or_doubled(labels: list[int], seed: int) -> None:
    labels += [0, 1, 2] * 4
    module = sys.modules["own"]
    task = made(module, [(shade(n, side=8), label) for n, label in enumerate(labels)], split_seed=seed, image_size=8)
    found = []
    for part in (train(task), task.validation, task.test):
        found += list(zip(part.inputs[:, 0, 0, 0].tolist(), part.labels.tolist(), strict=True))
    assert sorted(found) == list(enumerate(labels))
