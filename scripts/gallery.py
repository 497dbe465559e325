"""Render docs/gallery/*.png from real runs, and write what `crop_health` said into docs/gallery.md; about 2 minutes.

    pip install matplotlib      # for its sample photograph and its font; nothing is plotted with it
    python scripts/gallery.py

The same machine and versions give the same pictures. The text of docs/gallery.md is written by hand, but for the
lines between `<!-- said: NAME -->` and `<!-- end -->`, which this script replaces.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

import cropworth as cw
from cropworth.crops.sequence import read_steps
from cropworth.crops.spatial import Cropper
from cropworth.data.config import DigitsCluttered
from cropworth.data.images.cluttered import ClutteredDigits
from cropworth.models.small import SmallConvNet
from cropworth.study.pictures import curves
from cropworth.study.train import batches

try:
    import matplotlib as mpl
except ModuleNotFoundError as error:
    raise SystemExit("The gallery's photograph and font come with matplotlib: pip install matplotlib") from error

DOCS = Path(__file__).parent.parent / "docs"
SEED, BATCH, CROP = 0, 32, 32
WIDTH, EDGE, HEADING, SMOOTH = 1000, 8, 26, 4  # of a sheet, in pixels; lines are drawn SMOOTH times as large
PAPER, INK, FRAME, TRUTH = "#ffffff", "#222222", "#bbbbbb", "#37b24d"
COLOURS = ("#ff2e93", "#1098ad", "#ae3ec9", "#f2b705")
FONT = ImageFont.truetype(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), 16)
PHOTO = Path(mpl.get_data_path(), "sample_data", "grace_hopper.jpg")


@dataclass(frozen=True)
class Panel:
    """Pixels (C, H, W) in [0, 1], shown `width` pixels wide.

    Crops are outlined at `poses`, the true box (4,) thinly in green; outlines may run over `margin` pixels of paper.
    """

    pixels: Tensor
    width: int
    poses: Sequence[Tensor] = ()
    truth: Tensor | None = None
    margin: int = 0
    frame: str = FRAME


Group = tuple[str, list[Panel]]  # a heading, and what stands side by side under it
Penalty = Callable[[Cropper, Tensor, Tensor], Tensor]  # (cropper, images, pose) -> what is added to the loss


def border(pose: Tensor) -> Tensor:
    """Points along a crop's border in the input, from its upper left corner clockwise: (N, 2)."""
    along = torch.linspace(-1, 1, 41)
    low, high = torch.full_like(along, -1), torch.full_like(along, 1)
    sides = [(along, low), (high, along), (-along, high), (low, -along)]
    return cw.map_points(pose, torch.cat([torch.stack(side, dim=-1) for side in sides]))


def draw(panel: Panel) -> Image.Image:
    pixels = (panel.pixels.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    whole = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).convert("RGB")
    width, height, margin = panel.width, round(panel.width * whole.height / whole.width), panel.margin
    enlarged = width >= whole.width
    whole = whole.resize((width, height), Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS)
    picture = Image.new("RGB", (width + 2 * margin, height + 2 * margin), PAPER)
    picture.paste(whole, (margin, margin))
    lines = Image.new("RGBA", (picture.width * SMOOTH, picture.height * SMOOTH))
    pen = ImageDraw.Draw(lines)

    def place(pose: Tensor) -> list[tuple[float, float]]:
        points = (border(pose) + 1) / 2 * torch.tensor([width, height]) + margin
        return [(x, y) for x, y in (points * SMOOTH).tolist()]

    if panel.truth is not None:
        pen.line(place(cw.boxes_to_theta(panel.truth)), TRUTH, SMOOTH)
    for pose, colour in zip(panel.poses, COLOURS, strict=False):
        points = place(pose)
        pen.line(points, colour, 2 * SMOOTH, joint="curve")
        pen.circle(points[0], 4 * SMOOTH, colour)
    low, right, bottom = margin * SMOOTH, (margin + width) * SMOOTH - 1, (margin + height) * SMOOTH - 1
    pen.rectangle((low, low, right, bottom), outline=panel.frame, width=SMOOTH * (1 if panel.frame == FRAME else 3))
    lines = lines.resize(picture.size, Image.Resampling.BOX)
    picture.paste(lines, (0, 0), lines)
    return picture


def sheet(name: str, rows: Sequence[Sequence[Group]], inner: int = 6, palette: bool = True) -> None:
    """Save rows of groups as docs/gallery/NAME.png, every row spread over the sheet's width."""
    pictures = [[[draw(panel) for panel in panels] for _, panels in row] for row in rows]
    tops = [HEADING * any(heading for heading, _ in row) for row in rows]
    heights = [max(picture.height for group in groups for picture in group) for groups in pictures]
    whole = Image.new("RGB", (WIDTH, sum(tops) + sum(heights) + EDGE * (len(rows) + 1)), PAPER)
    pen, y = ImageDraw.Draw(whole), EDGE
    for row, groups, top, height in zip(rows, pictures, tops, heights, strict=True):
        widths = [sum(picture.width for picture in group) + inner * (len(group) - 1) for group in groups]
        gap = (WIDTH - 2 * EDGE - sum(widths)) / max(len(row) - 1, 1)
        assert gap >= inner, f"{name}: a row of {sum(widths)} pixels"
        for i, ((heading, _), group) in enumerate(zip(row, groups, strict=True)):
            left = round(EDGE + sum(widths[:i]) + gap * i)
            pen.text((left, y), heading, INK, FONT)
            for picture in group:
                whole.paste(picture, (left, y + top + (height - picture.height) // 2))
                left += picture.width + inner
        y += top + height + EDGE
    path = DOCS / "gallery" / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    (whole.quantize(256, dither=Image.Dither.NONE) if palette else whole).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB", flush=True)


def photograph() -> Tensor:
    """Grace Hopper: (1, 3, 600, 512)."""
    return torch.from_numpy(np.array(Image.open(PHOTO))).permute(2, 0, 1).unsqueeze(0) / 255


def in_pixels(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    """Corners on the photograph, in pixels -> a box (cx, cy, w, h), in fractions."""
    return (left + right) / 2 / 512, (top + bottom) / 2 / 600, (right - left) / 512, (bottom - top) / 600


def transforms(photo: Tensor) -> None:
    face = in_pixels(140, 110, 400, 370)
    bend = [0.3 * math.sin(1.7 * i + 0.6) for i in range(32)]
    shown: list[tuple[str, cw.Transform, list[float], int]] = [
        ("Zoom", cw.Zoom(face), [0, 0, -0.2], 230),
        ("Zoom(scales=2)", cw.Zoom(face, scales=2), [-0.02, -0.5, 0, -0.55], 132),
        ("Similarity", cw.Similarity(face, aspect=512 / 600), [0, 0, -0.1, 0.5], 230),
        ("Affine", cw.Affine(face), [0, 0, -0.3, 0, -0.2, 0.5], 230),
        ("Projective", cw.Projective(face), [0, 0, 0.1, 0.1, 0, 0, 0.28, 0.1], 230),
        ("ThinPlateSpline(4)", cw.ThinPlateSpline(4, face), [0, 0, 0.1, 0.1, 0, 0, *bend], 230),
    ]
    groups: list[Group] = []
    for name, transform, raw, height in shown:
        pose = transform(torch.tensor([raw]))
        crop = cw.sample(photo, pose, (height, 230), antialias=True)[0]
        groups.append((name, [Panel(photo[0], 240, [pose[0]]), Panel(crop, 230, frame=COLOURS[0])]))
    sheet("transforms", [groups[i : i + 2] for i in range(0, len(groups), 2)], inner=8)


def in_time(photo: Tensor) -> None:
    """A row of the photograph as a series, its brightness from left to right, and crops of it."""
    series = photo[:, :, 250].mean(1).unsqueeze(-1)  # (1, 512, 1)
    zoom, warp = cw.Zoom(start=(0.5, 0.5), dims=1), cw.Warp(4, start=(0.5, 0.5))
    still = torch.zeros(1, warp.parameters_needed)
    bent = still.index_fill(1, torch.tensor([2, 5]), 3.0).index_fill(1, torch.tensor([3, 4]), -3.0)
    moved = torch.tensor([[-0.3, -0.5]])

    def shown(transform: cw.Transform, raw: Tensor) -> list[Panel]:
        pose = transform(raw)
        centre, length = cw.theta_to_boxes(pose)[0].tolist()
        outline = cw.boxes_to_theta(torch.tensor([centre, 0.5, length, 1.0]))
        crop = read_steps(series, pose, None, (128,))
        whole, inside = (torch.from_numpy(curves(values, None))[0] / 255 for values in (series, crop))
        return [Panel(whole, 155, [outline]), Panel(inside, 155, frame=COLOURS[0])]

    starts = [("both start here", shown(zoom, still[:, :2])), ("Zoom, moved", shown(zoom, moved))]
    sheet("in-time", [[*starts, ("Warp", shown(warp, bent))]], inner=4)


def samplers(photo: Tensor) -> None:
    def shown(heading: str, corners: tuple[int, int, int, int], size: tuple[int, int], **how: Any) -> Group:
        theta = cw.boxes_to_theta(torch.tensor([in_pixels(*corners)]))
        return heading, [Panel(cw.sample(photo, theta, size, **how)[0], 320)]

    eye, ribbons, corner, face = (290, 174, 314, 198), (306, 478, 466, 538), (-70, -90, 250, 150), (110, 40, 430, 280)
    modes = ("nearest", "bilinear", "bicubic")
    sheet("enlarging", [[shown(mode, eye, (320, 320), mode=mode) for mode in modes]], palette=False)
    small = shown("bilinear, 40 x 15 pixels", ribbons, (15, 40))
    smooth = shown("the same with antialias=True", ribbons, (15, 40), antialias=True)
    sheet("shrinking", [[shown("160 x 60 pixels of the input", ribbons, (60, 160)), small, smooth]])
    paddings = ("zeros", "border", "reflection")
    sheet("padding", [[shown(name, corner, (240, 320), padding=name) for name in paddings]])
    sheet("reach", [[shown(f"reach={reach}", face, (240, 320), reach=reach) for reach in (1, 4, 12)]])


def several(photo: Tensor) -> None:
    corners = [(150, 5, 370, 225), (170, 130, 370, 330), (66, 442, 176, 552), (310, 440, 470, 600)]
    theta = cw.boxes_to_theta(torch.tensor([[in_pixels(*box) for box in corners]]))  # (1, 4, 2, 3)
    crops = cw.sample(photo, theta, (190, 190), antialias=True)[0]  # (4, 3, 190, 190)
    panels = [Panel(crop, 190, frame=colour) for crop, colour in zip(crops, COLOURS, strict=True)]
    sheet("several", [[("", [Panel(photo[0], 180, list(theta[0]))]), ("", panels)]])


def digits(canvas: int, clutter: int, scale: tuple[float, float] = (1.0, 1.0)) -> ClutteredDigits:
    """Canvases as in benchmarks/finding.py."""
    config = {"task": "digits-cluttered", "canvas": canvas, "clutter": clutter, "digit_scale": scale}
    return ClutteredDigits(DigitsCluttered.model_validate(config))


def train(
    cropper: Cropper,
    task: ClutteredDigits,
    epochs: int,
    items: int,
    penalty: Penalty = lambda cropper, images, pose: pose.new_zeros(()),
    lr: float = 3e-3,
    localizer: float = 1.0,
    watch: Callable[[int], None] = lambda step: None,
) -> None:
    """Train a crop, and the small classifier behind it, as a trial of a study does; `watch` is told every step."""
    began, classifier = time.process_time(), SmallConvNet(1, 10)
    model = nn.ModuleList([cropper, classifier]).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(cw.parameter_groups(model, lr, localizer))
    rates = [group["lr"] for group in optimizer.param_groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=epochs * (items // BATCH))
    watch(0)
    for epoch in range(epochs):
        drawn = task.training_epoch(items, SEED, epoch).take(slice(items // BATCH * BATCH))
        for batch in batches(drawn, BATCH):
            model.train()
            crops, pose = cropper.crop(batch.inputs)
            loss = F.cross_entropy(classifier(crops), batch.labels) + penalty(cropper, batch.inputs, pose)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            watch(schedule.last_epoch)
    print(f"trained: loss {loss.item():.2f}, {time.process_time() - began:.0f} s", flush=True)


def steady(scale: float) -> Penalty:
    """The penalties of the finding benchmark's default."""
    return lambda cropper, images, pose: (
        cw.consistency(cropper, cropper.look(images), pose) + 0.3 * cw.scale_prior(pose, scale)
    )


@torch.no_grad()
def cropped(cropper: Cropper, task: ClutteredDigits, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The first test canvases (N, 1, H, W), true boxes (N, 4), crops (N, 1, h, w) and poses (N, rows, columns)."""
    cropper.eval()
    first = next(batches(task.test, count))
    images, boxes = first.inputs, first.boxes
    assert boxes is not None
    return images, boxes, *cropper.crop(images)


def pairs(cropper: Cropper, task: ClutteredDigits, count: int, side: int, margin: int = 0) -> list[list[Panel]]:
    """Each canvas with the outline of its crop, and the crop."""
    return [
        [Panel(image, side, [pose], box, margin), Panel(crop, 3 * CROP, frame=COLOURS[0])]
        for image, box, crop, pose in zip(*cropped(cropper, task, count), strict=True)
    ]


def heatmap_zoom(canvas: int, start: float, smallest: float = 0.1) -> cw.SpatialTransformer:
    """A heatmap and an upright crop that starts in the middle, with the weights of `SEED`."""
    torch.manual_seed(SEED)
    zoom, look = cw.Zoom((0.5, 0.5, start, start), smallest=smallest), (canvas // 2, canvas // 2)
    return cw.SpatialTransformer(cw.HeatmapLocalizer(1, zoom.parameters_needed), zoom, (CROP, CROP), look_size=look)


def regression_affine(canvas: int) -> cw.SpatialTransformer:
    """The article's localization network, and its affine crop without bounds."""
    torch.manual_seed(SEED)
    affine, look = cw.UnboundedAffine(), (canvas // 2, canvas // 2)
    return cw.SpatialTransformer(cw.RegressionLocalizer(1, look, 6), affine, (CROP, CROP), look_size=look)


def over_training() -> None:
    """The finding benchmark's default on five test canvases, from the first step to the last."""
    task, cropper = digits(96, 12, (0.7, 1.4)), heatmap_zoom(96, 0.29)
    columns: list[list[Group]] = []

    def watch(step: int) -> None:
        if step in (0, 50, 100, 200, 372):
            headings = [f"step {step}", "", "", "", ""]
            columns.append(list(zip(headings, pairs(cropper, task, 5, 96), strict=True)))

    train(cropper, task, 6, 2000, steady(0.29), watch=watch)
    sheet("training", list(zip(*columns, strict=True)), inner=0)


def cascade() -> None:
    """The two steps of a cascade on three test canvases."""
    task = digits(96, 12)
    torch.manual_seed(SEED)
    zooms = [cw.Zoom((0.5, 0.5, 0.6, 0.6)), cw.Zoom((0.5, 0.5, 0.5, 0.5))]
    localizers = [cw.HeatmapLocalizer(1, zoom.parameters_needed, peak=zoom is zooms[0]) for zoom in zooms]
    cropper = cw.Cascade(localizers, zooms, (CROP, CROP), look_size=(48, 48))
    train(cropper, task, 4, 2000, steady(0.29), localizer=0.3)  # two steps move twice
    images, boxes, crops, _ = cropped(cropper, task, 3)
    with torch.no_grad():
        steps = cropper.path(images)
    looks = cw.sample(images, steps[0], (48, 48), antialias=True)  # what the second step sees
    groups: list[Group] = []
    for image, box, look, crop, *path in zip(images, boxes, looks, crops, *steps, strict=True):
        shown = [Panel(look, 96, frame=COLOURS[0]), Panel(crop, 96, frame=COLOURS[1])]
        groups.append(("", [Panel(image, 96, path, box), *shown]))
    sheet("cascade", [groups])


def failure(name: str, cropper: cw.SpatialTransformer, task: ClutteredDigits, side: int = 96, margin: int = 16) -> str:
    """Show the crops of four test canvases -> what `crop_health` says of 500, as Markdown."""
    sheet(f"failure-{name}", [[("", panels) for panels in pairs(cropper, task, 4, side, margin)]], inner=0)
    _, boxes, crops, poses = cropped(cropper, task, 500)
    health = cw.crop_health(poses, crops, cropper.transform)
    shares = [f"{key} {value if isinstance(value, bool) else f'{value:.0%}'}" for key, value in asdict(health).items()]
    iou = cw.localisation_iou(poses, boxes).median().item()
    words = [f"- {word}: {getattr(health, word) or '(none)'}" for word in ("problem", "recommendation")]
    return "\n".join([f"- measured: {', '.join(shares)}; median overlap (IoU) with the true box {iou:.2f}", *words])


def failures() -> dict[str, str]:
    """Six ways to fail, by real trainings -> what `crop_health` said of each."""
    said, task, hard = {}, digits(96, 12), digits(128, 24)
    for name, lr in (("runaway", 0.1), ("alike", 0.045)):
        article = regression_affine(96)
        train(article, task, 2, 1000, lr=lr)
        said[name] = failure(name, article, task, 64, 40)
    stuck = regression_affine(96)
    train(stuck, task, 1, 1000, localizer=1e-6)
    said["stuck"] = failure("stuck", stuck, task)
    shrunk = regression_affine(96)
    train(shrunk, task, 5, 1000, lambda cropper, images, pose: cw.scale_prior(pose, 0.01), lr=2e-3)
    said["shrunk"] = failure("shrunk", shrunk, task)
    bound = heatmap_zoom(96, 0.52, smallest=0.5)
    train(bound, task, 3, 1000, steady(0.29))
    said["bound"] = failure("bound", bound, task)
    middle = heatmap_zoom(128, 0.22)
    nn.init.zeros_(middle.localizer.heatmap.weight)  # type: ignore[union-attr, arg-type]
    train(middle, hard, 3, 1000)
    said["middle"] = failure("middle", middle, hard)
    return said


def main() -> None:
    torch.set_num_threads(1)
    photo = photograph()
    transforms(photo)
    in_time(photo)
    samplers(photo)
    several(photo)
    over_training()
    cascade()
    page = DOCS / "gallery.md"
    text = page.read_text()
    for name, words in failures().items():
        before, rest = text.split(f"<!-- said: {name} -->\n")  # exactly one place
        _, after = rest.split("<!-- end -->", 1)
        text = f"{before}<!-- said: {name} -->\n{words}\n<!-- end -->{after}"
    page.write_text(text)


if __name__ == "__main__":
    main()
