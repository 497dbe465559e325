"""Typed memory for the compiled kernels, which get addresses and see no Python object.

A kernel is compiled once for each type of element that tensors hold. Halves, which NumPy or Numba lack, are known by an
integer type of their size: ``uint16`` holds a float16, ``int16`` a bfloat16. What is read is widened to the type that
is calculated in, float32, or float64 of a float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

FLOAT16, BFLOAT16 = types.uint16, types.int16
LINE = 64  # bytes of a cache line
_WORD, _WORD32 = ir.IntType(64), ir.IntType(32)


# Functions of the kernels. Products and sums may be fused; nothing is added up in another order than it is written.
_RULES: dict[str, Any] = {"error_model": "numpy", "nogil": True, "fastmath": {"contract", "nsz"}}
called: Any = njit(**_RULES)
inlined: Any = njit(inline="always", **_RULES)

# For sizes of workspaces, which Python asks for too.
shared: Any = register_jitable(inline="always")


def wide(element: Any) -> Any:
    """The Numba type that elements of this type are calculated in."""
    return types.float64 if element == types.float64 else types.float32


def _pointer(builder: Any, address: Any, context: Any, to: Any) -> Any:
    return builder.inttoptr(address, context.get_value_type(to).as_pointer())


@intrinsic
def word(typing: Any, data: Any, index: Any) -> Any:
    """The 64-bit integer at a place of `data`, a pointer of any type."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = builder.bitcast(args[0], _WORD.as_pointer())
        return builder.load(builder.gep(words, [args[1]]))

    return types.int64(data, types.int64), generate


@intrinsic
def take(typing: Any, data: Any, index: Any) -> Any:
    """Add one to the 64-bit integer at a place of `data`, in one step for all threads, and return what it was."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = builder.bitcast(args[0], _WORD.as_pointer())
        return builder.atomic_rmw("add", builder.gep(words, [args[1]]), _WORD(1), "monotonic")

    return types.int64(data, types.int64), generate


@intrinsic
def elements(typing: Any, data: Any, address: Any) -> Any:
    """An address as a pointer to elements of the type that `data` points to."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _pointer(builder, args[1], context, data.dtype)

    return data(data, types.int64), generate


@intrinsic
def numbers(typing: Any, data: Any, address: Any) -> Any:
    """An address as a pointer to numbers of the type that elements of `data` are calculated in."""
    kind = wide(data.dtype)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _pointer(builder, args[1], context, kind)

    return types.CPointer(kind)(data, types.int64), generate


@intrinsic
def number_size(typing: Any, data: Any) -> Any:
    """Bytes of the numbers that elements of `data` are calculated in."""
    size = wide(data.dtype).bitwidth // 8
    return types.int64(data), lambda context, builder, signature, args: _WORD(size)


@intrinsic
def doubles(typing: Any, address: Any) -> Any:
    """An address as a pointer to float64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _pointer(builder, args[0], context, types.float64)

    return types.CPointer(types.float64)(types.int64), generate


@intrinsic
def longs(typing: Any, address: Any) -> Any:
    """An address as a pointer to int64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _pointer(builder, args[0], context, types.int64)

    return types.CPointer(types.int64)(types.int64), generate


@intrinsic
def integers(typing: Any, address: Any) -> Any:
    """An address as a pointer to int32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _pointer(builder, args[0], context, types.int32)

    return types.CPointer(types.int32)(types.int64), generate


@intrinsic
def prefetch(typing: Any, pointer: Any, index: Any) -> Any:
    """Ask for the cache line of an element, which may lie anywhere, to come to the second-level cache."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        line = builder.bitcast(builder.gep(args[0], [args[1]]), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [line.type, _WORD32, _WORD32, _WORD32])
        door = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(door, [line, _WORD32(0), _WORD32(2), _WORD32(1)])
        return context.get_dummy_value()

    return types.void(pointer, types.int64), generate


def widened(builder: Any, element: Any, value: Any) -> Any:
    """LLVM code for an element, or a vector of them, as numbers that are calculated with."""
    as_vector = _shape_of(value)
    if element == FLOAT16:
        return builder.fpext(builder.bitcast(value, as_vector(ir.HalfType())), as_vector(ir.FloatType()))
    if element == BFLOAT16:
        bits = as_vector(_WORD32)
        high = builder.shl(builder.zext(value, bits), _constant(bits, 16))
        return builder.bitcast(high, as_vector(ir.FloatType()))
    return value


def narrowed(builder: Any, element: Any, value: Any) -> Any:
    """LLVM code for numbers rounded to elements: to the nearest, ties to even; a NaN stays one."""
    as_vector = _shape_of(value)
    if element == FLOAT16:
        return builder.bitcast(builder.fptrunc(value, as_vector(ir.HalfType())), as_vector(ir.IntType(16)))
    if element == BFLOAT16:
        words = as_vector(_WORD32)
        bits = builder.bitcast(value, words)
        odd = builder.and_(builder.lshr(bits, _constant(words, 16)), _constant(words, 1))
        rounded = builder.add(bits, builder.add(odd, _constant(words, 0x7FFF)))
        is_nan = builder.fcmp_unordered("uno", value, value)
        kept = builder.select(is_nan, _constant(words, 0x7FC00000), rounded)
        return builder.trunc(builder.lshr(kept, _constant(words, 16)), as_vector(ir.IntType(16)))
    return value


def _shape_of(value: Any) -> Callable[[Any], Any]:
    """An LLVM type as a vector of as many lanes as the value has, or as it is."""
    if isinstance(value.type, ir.VectorType):
        return lambda kind: ir.VectorType(kind, value.type.count)
    return lambda kind: kind


def _constant(kind: Any, value: int) -> Any:
    return ir.Constant(kind, [value] * kind.count) if isinstance(kind, ir.VectorType) else kind(value)


@intrinsic
def load(typing: Any, pointer: Any, index: Any) -> Any:
    """Read an element, widened."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return widened(builder, pointer.dtype, builder.load(builder.gep(args[0], [args[1]])))

    return wide(pointer.dtype)(pointer, types.int64), generate
