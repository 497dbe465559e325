"""Lanes from memory and back: side by side, or at places from a table, in as few loads as they allow."""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from cropworth.crops.kernels.cpu.lanes import COUNT, Lanes, splat
from cropworth.crops.kernels.cpu.memory import narrowed, wide, widened

PERMUTES = binding.get_host_cpu_features().get("avx512f", False)
_WORD, _WORD32 = ir.IntType(64), ir.IntType(32)


def _first(builder: Any, count: Any) -> Any:
    """A mask of the first `count` lanes."""
    steps = ir.Constant(ir.VectorType(_WORD32, COUNT), list(range(COUNT)))
    most = builder.select(builder.icmp_signed("<", count, _WORD(COUNT)), count, _WORD(COUNT))
    return builder.icmp_signed("<", steps, splat(builder, builder.trunc(most, _WORD32)))


def _masked(builder: Any, verb: str, vector: Any, kind: Any) -> Any:
    """The LLVM intrinsic for a masked load or store of this vector."""
    bits = vector.element
    name = f"i{bits.width}" if isinstance(bits, ir.IntType) else ("f32" if isinstance(bits, ir.FloatType) else "f64")
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.{verb}.v{COUNT}{name}.p0")


@intrinsic
def read(typing: Any, pointer: Any, index: Any, count: Any) -> Any:
    """Elements from `index` on, widened; zero after the first `count`, which are not read."""
    kind = (
        pointer.dtype
        if isinstance(pointer.dtype, types.Integer) and pointer.dtype.bitwidth > 16
        else wide(pointer.dtype)
    )

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        spot = builder.gep(args[0], [args[1]])
        vector = ir.VectorType(spot.type.pointee, COUNT)
        at = builder.bitcast(spot, vector.as_pointer())
        mask = _first(builder, args[2])
        call = ir.FunctionType(vector, [at.type, _WORD32, mask.type, vector])
        align = _WORD32(pointer.dtype.bitwidth // 8)
        value = builder.call(
            _masked(builder, "load", vector, call), [at, align, mask, ir.Constant(vector, [0] * COUNT)]
        )
        return widened(builder, pointer.dtype, value)

    return Lanes(kind)(pointer, types.int64, types.int64), generate


@intrinsic
def write(typing: Any, pointer: Any, index: Any, count: Any, value: Any) -> Any:
    """Write the first `count` lanes from `index` on, rounded to the elements' type."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rounded = narrowed(builder, pointer.dtype, args[3])
        spot = builder.gep(args[0], [args[1]])
        at = builder.bitcast(spot, rounded.type.as_pointer())
        mask = _first(builder, args[2])
        call = ir.FunctionType(ir.VoidType(), [rounded.type, at.type, _WORD32, mask.type])
        align = _WORD32(pointer.dtype.bitwidth // 8)
        builder.call(_masked(builder, "store", rounded.type, call), [rounded, at, align, mask])
        return context.get_dummy_value()

    return types.void(pointer, types.int64, types.int64, value), generate


def _gathered(builder: Any, pointer: Any, base: Any, places: Any) -> Any:
    """LLVM code for the elements at base + places, each loaded alone: as fast as instructions that gather them."""
    spot = builder.gep(pointer, [base])
    value = ir.Constant(ir.VectorType(spot.type.pointee, COUNT), ir.Undefined)
    for lane in range(COUNT):
        place = builder.extract_element(places, _WORD32(lane))
        value = builder.insert_element(value, builder.load(builder.gep(spot, [place])), _WORD32(lane))
    return value


@intrinsic
def gather(typing: Any, pointer: Any, base: Any, places: Any) -> Any:
    """Elements at base + places, widened."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return widened(builder, pointer.dtype, _gathered(builder, *args))

    return Lanes(wide(pointer.dtype))(pointer, types.int64, places), generate


@intrinsic
def _pairs(typing: Any, pointer: Any, base: Any, places: Any) -> Any:
    """Elements at base + places and those after them, widened, each two in one load."""
    kind = Lanes(wide(pointer.dtype))
    both = types.UniTuple(kind, 2)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        spot = builder.gep(args[0], [args[1]])
        element = spot.type.pointee
        if pointer.dtype == types.float64:  # two fill more than a load of a register's lane
            values = [_gathered(builder, args[0], builder.add(args[1], _WORD(i)), args[2]) for i in (0, 1)]
            return context.make_tuple(builder, both, values)
        bits = pointer.dtype.bitwidth
        pair = ir.IntType(2 * bits)
        held = ir.Constant(ir.VectorType(pair, COUNT), ir.Undefined)
        for lane in range(COUNT):
            place = builder.extract_element(args[2], _WORD32(lane))
            at = builder.bitcast(builder.gep(spot, [place]), pair.as_pointer())
            held = builder.insert_element(held, builder.load(at, align=bits // 8), _WORD32(lane))
        flat = builder.bitcast(held, ir.VectorType(element, 2 * COUNT))
        values = [
            widened(
                builder,
                pointer.dtype,
                builder.shuffle_vector(
                    flat, flat, ir.Constant(ir.VectorType(_WORD32, COUNT), list(range(first, 2 * COUNT, 2)))
                ),
            )
            for first in (0, 1)
        ]
        return context.make_tuple(builder, both, values)

    return both(pointer, types.int64, places), generate


@njit(inline="always")
def gather_pair(pointer: Any, base: int, places: Any, step: int) -> tuple[Any, Any]:
    """Elements at base + places, and those `step` after them."""
    if step == 1:
        return _pairs(pointer, base, places)
    return gather(pointer, base, places), gather(pointer, base + step, places)


def _permuted(builder: Any, low: Any, places: Any, high: Any) -> Any:
    """LLVM code for the lanes, of two registers of float32 side by side, at these places."""
    kind = ir.FunctionType(low.type, [low.type, places.type, low.type])
    door = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpermi2var.ps.512")
    return builder.call(door, [low, places, high])


@intrinsic
def permute(typing: Any, low: Any, high: Any, places: Any) -> Any:
    """The lanes at these places, int32, of two registers side by side."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if PERMUTES and low.element == types.float32:
            return _permuted(builder, args[0], args[2], args[1])
        side_by_side = list(range(2 * COUNT))
        mask = ir.Constant(ir.VectorType(_WORD32, 2 * COUNT), side_by_side)
        both = builder.shuffle_vector(args[0], args[1], mask)
        numbers = cgutils.alloca_once_value(builder, both)
        first = builder.bitcast(numbers, args[0].type.element.as_pointer())
        return _gathered(builder, first, _WORD(0), args[2])

    return low(low, high, places), generate


def _make_pick(registers: int) -> Any:
    """Numbers at base + places, of which all are below registers * COUNT; where possible without a gather."""

    @intrinsic
    def work(typing: Any, pointer: Any, base: Any, places: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            if not (PERMUTES and pointer.dtype == types.float32):
                return _gathered(builder, *args)
            spot = builder.gep(args[0], [args[1]])
            vector = ir.VectorType(ir.FloatType(), COUNT)
            held = [
                builder.load(builder.bitcast(builder.gep(spot, [_WORD(COUNT * i)]), vector.as_pointer()), align=4)
                for i in range(registers)
            ]
            pairs = [_permuted(builder, low, args[2], high) for low, high in zip(held[::2], held[1::2], strict=True)]
            if len(pairs) == 1:
                return pairs[0]
            far = builder.icmp_signed(">=", args[2], splat(builder, _WORD32(2 * COUNT)))
            return builder.select(far, pairs[1], pairs[0])

        return Lanes(pointer.dtype)(pointer, types.int64, places), generate

    return work


pick_2, pick_4 = _make_pick(2), _make_pick(4)


@njit(inline="always")
def pick(mixed: Any, base: int, places: Any, registers: int) -> Any:
    """Numbers at base + places, which span at most this many registers, 0 for more than can be held."""
    if registers == 2:
        return pick_2(mixed, base, places)
    if registers == 4:
        return pick_4(mixed, base, places)
    return gather(mixed, base, places)


@intrinsic
def dots(typing: Any, mixed: Any, left: Any, starts: Any, place: Any, weights: Any, blocks: Any) -> Any:
    """Weighted sums of runs of a mixed row, for sixteen places from `place` on.

    The run of place i begins at mixed[starts[i] - left], its weights at weights[i * blocks * COUNT].
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(context.get_value_type(mixed.dtype), COUNT)
        room = builder.mul(args[5], _WORD(COUNT))
        runs, rows = [], []
        for lane in range(COUNT):
            index = builder.add(args[3], _WORD(lane))
            start = builder.sub(builder.load(builder.gep(args[2], [index])), args[1])
            runs.append(builder.gep(args[0], [start]))
            rows.append(builder.gep(args[4], [builder.mul(index, room)]))
        sums = [
            cgutils.alloca_once_value(builder, _product(builder, run, row, vector))
            for run, row in zip(runs, rows, strict=True)
        ]
        with cgutils.for_range(builder, args[5], start=_WORD(1)) as loop:
            step = builder.mul(loop.index, _WORD(COUNT))
            for total, run, row in zip(sums, runs, rows, strict=True):
                more = _product(builder, builder.gep(run, [step]), builder.gep(row, [step]), vector)
                builder.store(builder.fadd(builder.load(total), more, flags=["contract"]), total)
        return _sum_of_each(builder, [builder.load(total) for total in sums])

    return Lanes(mixed.dtype)(mixed, types.int64, starts, types.int64, weights, types.int64), generate


def _product(builder: Any, first: Any, second: Any, vector: Any) -> Any:
    align = 8 if isinstance(vector.element, ir.DoubleType) else 4
    pair = (builder.load(builder.bitcast(at, vector.as_pointer()), align=align) for at in (first, second))
    return builder.fmul(*pair, flags=["contract"])


def _sum_of_each(builder: Any, vectors: list[Any]) -> Any:
    """The sums of sixteen vectors as one: halves are added until each vector has one lane left."""
    width = COUNT
    while len(vectors) > 1:
        # Of each two vectors, the lower and upper halves of every group of `width` lanes side by side, then added.
        half = width // 2
        low: list[int] = []
        high: list[int] = []
        for at in range(0, 2 * COUNT, width):
            low += range(at, at + half)
            high += range(at + half, at + width)
        masks = [ir.Constant(ir.VectorType(_WORD32, COUNT), lanes) for lanes in (low, high)]
        vectors = [
            builder.fadd(*(builder.shuffle_vector(one, other, mask) for mask in masks))
            for one, other in zip(vectors[::2], vectors[1::2], strict=True)
        ]
        width = half
    return vectors[0]
