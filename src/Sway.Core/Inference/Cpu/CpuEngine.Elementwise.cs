using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace Sway.Inference.Cpu;

public sealed unsafe partial class CpuEngine
{
    /// <inheritdoc/>
    public EngineTensor Norm(EngineTensor x, NormKind kind, double epsilon, EngineWeight? weight, EngineWeight? bias)
    {
        var source = (CpuTensor)x;
        var result = New(source.Rows, source.Width);
        var w = (weight as CpuVector)?.Values;
        var b = (bias as CpuVector)?.Values;
        ForRows(source.Rows, source.Width, row =>
            Normalize(source.Row(row), result.Row(row), source.Width, kind, epsilon, w, 0, b));
        return result;
    }

    /// <inheritdoc/>
    public void NormHeads(HeadView heads, NormKind kind, double epsilon, EngineWeight? weight, HeadNormScope scope)
    {
        var x = (CpuTensor)heads.Tensor;
        x.Changed();
        var w = (weight as CpuVector)?.Values;
        ForRows(x.Rows, heads.Heads * heads.Size, row =>
        {
            if (scope == HeadNormScope.AllHeads)
            {
                // Heads of one vector lie side by side in every architecture that norms them together.
                var all = x.Row(row) + heads.Offset;
                Normalize(all, all, heads.Heads * heads.Size, kind, epsilon, w, 0, null);
                return;
            }

            for (var h = 0; h < heads.Heads; h++)
            {
                var head = x.Row(row) + heads.Offset + (h * heads.Stride);
                Normalize(head, head, heads.Size, kind, epsilon, w, scope == HeadNormScope.HeadOwnWeights ? h * heads.Size : 0, null);
            }
        });
    }

    /// <inheritdoc/>
    public void ScaleRows(HeadView heads, ReadOnlySpan<float> factors)
    {
        var x = (CpuTensor)heads.Tensor;
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
        var target = (CpuTensor)x;
        var gates = (CpuTensor)gate.Tensor;
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
        var a = (CpuTensor)own.Tensor;
        var b = (CpuTensor)shared.Tensor;
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
        var g = (CpuTensor)gate;
        var u = (CpuTensor)up;
        g.Changed();

        // The widest tensors of a layer: where nothing else is in the gate's rows, the result takes their place.
        var result = g.Width == width ? g : New(g.Rows, width);
        ForRows(g.Rows, (long)width * 8, row =>
        {
            var from = new Span<float>(AlignedScratch.Work(width), width);
            var to = new Span<float>(result.Row(row), width);
            new ReadOnlySpan<float>(g.Row(row) + gateFirst, width).CopyTo(from);
            Functions.Apply(activation, from, to);
            TensorPrimitives.Multiply(to, new Span<float>(u.Row(row) + upFirst, width), to);
        });
        return result;
    }

    /// <inheritdoc/>
    public void Activate(EngineTensor x, Activation activation)
    {
        var tensor = (CpuTensor)x;
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
        var target = (CpuTensor)x;
        var source = (CpuTensor)y;
        target.Changed();
        ForRows(target.Rows, target.Width, row =>
        {
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
        });
    }

    /// <inheritdoc/>
    public void Scale(EngineTensor x, double factor)
    {
        var tensor = (CpuTensor)x;
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
        var tensor = (CpuTensor)x;
        tensor.Changed();
        ForRows(tensor.Rows, (long)tensor.Width * 8, row => Functions.SoftCap(tensor.Row(row), tensor.Width, cap));
    }

    /// <inheritdoc/>
    public void ScaleBySigmoid(EngineTensor x, EngineTensor gate)
    {
        var tensor = (CpuTensor)x;
        var gates = (CpuTensor)gate;
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
        var tensor = (CpuTensor)x;
        var gates = (CpuTensor)gate;
        tensor.Changed();
        var w = ((CpuVector)weight).Values;
        ForRows(tensor.Rows, (long)tensor.Width * 8, row =>
        {
            for (var first = 0; first < tensor.Width; first += headSize)
            {
                var head = tensor.Row(row) + first;
                Normalize(head, head, headSize, NormKind.Rms, epsilon, w, 0, null);
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
        var tensor = (CpuTensor)x;
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

    private static void Normalize(
        float* x, float* y, int width, NormKind kind, double epsilon, float[]? weight, int first, float[]? bias)
    {
        var mean = kind == NormKind.Layer ? Reductions.Sum(x, width) / width : 0.0;
        var inverse = 1.0 / Math.Sqrt((Reductions.SumSquares(x, width, mean) / width) + epsilon);
        var extra = kind == NormKind.RmsPlusOne ? 1f : 0f;
        var shift = (float)mean;
        var factor = (float)inverse;
        var i = 0;
        fixed (float* w = weight, b = bias)
        {
            for (; i + 16 <= width; i += 16)
            {
                // The same operations as below, element by element.
                var values = (Vector512.Load(x + i) - Vector512.Create(shift)) * Vector512.Create(factor);
                if (w != null)
                {
                    values *= Vector512.Load(w + first + i) + Vector512.Create(extra);
                }

                (b == null ? values : values + Vector512.Load(b + i)).Store(y + i);
            }
        }

        for (; i < width; i++)
        {
            var value = (x[i] - shift) * factor;
            if (weight is not null)
            {
                value *= weight[first + i] + extra;
            }

            y[i] = bias is null ? value : value + bias[i];
        }
    }
}
