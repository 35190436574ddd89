using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace Sway.Inference.Cpu;

public sealed unsafe partial class CpuEngine
{
    /// <inheritdoc/>
    public EngineTensor Norm(EngineTensor x, NormKind kind, double epsilon, EngineWeight? weight, EngineWeight? bias)
    {
        var source = Settled(x);
        var rows = new NormRows(_workers, source, kind, epsilon, (weight as CpuVector)?.Values, (bias as CpuVector)?.Values);
        return New(source.Rows, source.Width, rows);
    }

    /// <inheritdoc/>
    public void NormHeads(HeadView heads, NormKind kind, double epsilon, EngineWeight? weight, HeadNormScope scope)
    {
        var x = Settled(heads.Tensor);
        x.Changed();
        var w = (weight as CpuVector)?.Values;
        ForRows(x.Rows, heads.Heads * heads.Size, row =>
        {
            if (scope == HeadNormScope.AllHeads)
            {
                // Heads of one vector lie side by side in every architecture that norms them together.
                var all = x.Row(row) + heads.Offset;
                RowNorm.Run(all, all, heads.Heads * heads.Size, kind, epsilon, w, 0, null);
                return;
            }

            for (var h = 0; h < heads.Heads; h++)
            {
                var head = x.Row(row) + heads.Offset + (h * heads.Stride);
                RowNorm.Run(head, head, heads.Size, kind, epsilon, w, scope == HeadNormScope.HeadOwnWeights ? h * heads.Size : 0, null);
            }
        });
    }

    /// <inheritdoc/>
    public void ScaleRows(HeadView heads, ReadOnlySpan<float> factors)
    {
        var x = Settled(heads.Tensor);
        x.Changed();
        var all = factors.ToArray();
        ForRows(x.Rows, heads.Heads * heads.Size, row =>
        {
            for (var h = 0; h < heads.Heads; h++)
            {
                var head = new Span<float>(x.Row(row) + heads.Offset + (h * heads.Stride), heads.Size);
                TensorPrimitives.Multiply(head, all[row], head);
            }
        });
    }

    /// <inheritdoc/>
    public void GateBySigmoid(EngineTensor x, HeadView gate)
    {
        var target = Settled(x);
        var gates = Settled(gate.Tensor);
        target.Changed();
        ForRows(target.Rows, (long)target.Width * 8, row =>
        {
            for (var h = 0; h < gate.Heads; h++)
            {
                var from = gates.Row(row) + gate.Offset + (h * gate.Stride);
                var to = target.Row(row) + (h * gate.Size);
                for (var i = 0; i < gate.Size; i++)
                {
                    to[i] *= Functions.Sigmoid(from[i]);
                }
            }
        });
    }

    /// <inheritdoc/>
    public EngineTensor JoinKeys(HeadView own, HeadView shared)
    {
        var a = Settled(own.Tensor);
        var b = Settled(shared.Tensor);
        var size = own.Size + shared.Size;
        var result = New(a.Rows, own.Heads * size);
        ForRows(a.Rows, own.Heads * size, row =>
        {
            for (var h = 0; h < own.Heads; h++)
            {
                var to = result.Row(row) + (h * size);
                Copy(a.Row(row) + own.Offset + (h * own.Stride), to, own.Size);
                Copy(b.Row(row) + shared.Offset, to + own.Size, shared.Size);
            }
        });

        return result;
    }

    /// <inheritdoc/>
    public EngineTensor Gated(EngineTensor gate, int gateFirst, EngineTensor up, int upFirst, int width, Activation activation)
    {
        var (g, u) = (Settled(gate), Settled(up));
        return New(g.Rows, width, new GatedRows(_workers, g, gateFirst, u, upFirst, width, activation));
    }

    /// <inheritdoc/>
    public void Activate(EngineTensor x, Activation activation)
    {
        var tensor = Settled(x);
        tensor.Changed();
        ForRows(tensor.Rows, (long)tensor.Width * 8, row =>
        {
            var copy = AlignedScratch.Work(tensor.Width);
            Copy(tensor.Row(row), copy, tensor.Width);
            Functions.Apply(activation, new ReadOnlySpan<float>(copy, tensor.Width), new Span<float>(tensor.Row(row), tensor.Width));
        });
    }

    /// <inheritdoc/>
    public void Add(EngineTensor x, EngineTensor y, double factor)
    {
        var target = Settled(x);
        var source = Settled(y);
        target.Changed();
        var squares = target.PlaceForSquares();
        ForRows(target.Rows, 2L * target.Width, row =>
        {
            target.FetchAhead(row);
            source.FetchAhead(row);
            var to = new Span<float>(target.Row(row), target.Width);
            var from = new Span<float>(source.Row(row), target.Width);
            if (factor == 1.0)
            {
                TensorPrimitives.Add(to, from, to);
            }
            else
            {
                TensorPrimitives.FusedMultiplyAdd<float>(from, (float)factor, to, to);
            }

            // While the row is in cache: a norm follows, and the sum tells whether all elements are finite.
            squares[row] = Reductions.SumSquares(target.Row(row), target.Width, 0.0);
        });
        target.Squares = squares;
    }

    /// <inheritdoc/>
    public void Scale(EngineTensor x, double factor)
    {
        var tensor = Settled(x);
        tensor.Changed();
        ForRows(tensor.Rows, tensor.Width, row =>
        {
            var span = new Span<float>(tensor.Row(row), tensor.Width);
            TensorPrimitives.Multiply(span, (float)factor, span);
        });
    }

    /// <inheritdoc/>
    public void SoftCap(EngineTensor x, double cap)
    {
        var tensor = Settled(x);
        tensor.Changed();
        ForRows(tensor.Rows, (long)tensor.Width * 8, row => Functions.SoftCap(tensor.Row(row), tensor.Width, cap));
    }

    /// <inheritdoc/>
    public void ScaleBySigmoid(EngineTensor x, EngineTensor gate)
    {
        var tensor = Settled(x);
        var gates = Settled(gate);
        tensor.Changed();
        ForRows(tensor.Rows, tensor.Width, row =>
        {
            var span = new Span<float>(tensor.Row(row), tensor.Width);
            TensorPrimitives.Multiply(span, Functions.Sigmoid(*gates.Row(row)), span);
        });
    }

    /// <inheritdoc/>
    public void NormThenGate(EngineTensor x, EngineTensor gate, int headSize, double epsilon, EngineWeight weight)
    {
        var tensor = Settled(x);
        var gates = Settled(gate);
        tensor.Changed();
        var w = ((CpuVector)weight).Values;
        ForRows(tensor.Rows, (long)tensor.Width * 8, row =>
        {
            for (var first = 0; first < tensor.Width; first += headSize)
            {
                var head = tensor.Row(row) + first;
                RowNorm.Run(head, head, headSize, NormKind.Rms, epsilon, w, 0, null);
                for (var i = 0; i < headSize; i++)
                {
                    var g = gates.Row(row)[first + i];
                    head[i] *= g * Functions.Sigmoid(g);
                }
            }
        });
    }

    /// <inheritdoc/>
    public int FirstNonFiniteRow(EngineTensor x)
    {
        var tensor = Settled(x);
        if (tensor.Squares is { } squares)
        {
            return Array.FindIndex(squares, square => !double.IsFinite(square));
        }

        var first = int.MaxValue;
        ForRows(tensor.Rows, tensor.Width, row =>
        {
            if (!TensorPrimitives.IsFiniteAll<float>(new ReadOnlySpan<float>(tensor.Row(row), tensor.Width)))
            {
                InterlockedMin(ref first, row);
            }
        });
        return first == int.MaxValue ? -1 : first;
    }

    private static void InterlockedMin(ref int target, int value)
    {
        int seen;
        while (value < (seen = Volatile.Read(ref target)) && Interlocked.CompareExchange(ref target, value, seen) != seen)
        {
        }
    }
}
