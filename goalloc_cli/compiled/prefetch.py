"""Ask for memory before it is needed: an object that dies lies anywhere, and waiting for it took half of all the time."""

from __future__ import annotations

import numba
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

if numba.config.DISABLE_JIT:

    def prefetch(table, row):
        """Bring a row of a table into the cache; any number will do, also that of a row that is not there."""

else:

    @intrinsic
    def prefetch(typingctx, table, row):
        """Bring a row of a table into the cache; any number will do, also that of a row that is not there."""

        def codegen(context, builder, signature, args):
            rows = context.make_array(signature.args[0])(context, builder, args[0])
            at = context.cast(builder, args[1], signature.args[1], types.intp)
            address = builder.bitcast(builder.gep(rows.data, [at]), ir.IntType(8).as_pointer())
            number = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
            ask = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
            builder.call(ask, [address, number(1), number(3), number(1)])  # to be written to, and kept; data
            return context.get_dummy_value()

        return types.none(table, row), codegen
