using System.Numerics.Tensors;

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
        _workers.For(source.Rows, (long)source.Rows * source.Width, row =>
            Normalize(source.Row(row), result.Row(row), source.Width, kind, epsilon, w, 0, b));
        return result;
    }

    /// <inheritdoc/>
    public void NormHeads(HeadView heads, NormKind kind, double epsilon, EngineWeight? weight, HeadNormScope scope)
    {
        var x = (CpuTensor)heads.Tensor;
        x.Changed();
        var w = (weight as CpuVector)?.Values;
        _workers.For(x.Rows, (long)x.Rows * heads.Heads * heads.Size, row =>
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
        for (var row = 0; row < x.Rows; row++)
        {
            for (var h = 0; h < heads.Heads; h++)
            {
                var head = new Span<float>(x.Row(row) + heads.Offset + (h * heads.Stride), heads.Size);
                TensorPrimitives.Multiply(head, factors[row], head);
            }
        }
    }

    /// <inheritdoc/>
    public void GateBySigmoid(EngineTensor x, HeadView gate)
    {
        var target = (CpuTensor)x;
        var gates = (CpuTensor)gate.Tensor;
        target.Changed();
        _workers.For(target.Rows, (long)target.Rows * target.Width * 8, row =>
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
        for (var row = 0; row < a.Rows; row++)
        {
            for (var h = 0; h < own.Heads; h++)
            {
                var to = result.Row(row) + (h * size);
                Copy(a.Row(row) + own.Offset + (h * own.Stride), to, own.Size);
                Copy(b.Row(row) + shared.Offset, to + own.Size, shared.Size);
            }
        }

        return result;
    }

    /// <inheritdoc/>
    public EngineTensor Gated(EngineTensor gate, int gateFirst, EngineTensor up, int upFirst, int width, Activation activation)
    {
        var g = (CpuTensor)gate;
        var u = (CpuTensor)up;
        var result = New(g.Rows, width);
        _workers.For(g.Rows, (long)g.Rows * width * 8, row =>
        {
            var to = new Span<float>(result.Row(row), width);
            Functions.Apply(activation, new Span<float>(g.Row(row) + gateFirst, width), to);
            TensorPrimitives.Multiply(to, new Span<float>(u.Row(row) + upFirst, width), to);
        });
        return result;
    }

    /// <inheritdoc/>
    public void Activate(EngineTensor x, Activation activation)
    {
        var tensor = (CpuTensor)x;
        tensor.Changed();
        _workers.For(tensor.Rows, (long)tensor.Rows * tensor.Width * 8, row =>
        {
            using var copy = New(1, tensor.Width);
            Copy(tensor.Row(row), copy.Data, tensor.Width);
            Functions.Apply(activation, copy.Span, new Span<float>(tensor.Row(row), tensor.Width));
        });
    }

    /// <inheritdoc/>
    public void Add(EngineTensor x, EngineTensor y, double factor)
    {
        var target = (CpuTensor)x;
        var source = (CpuTensor)y;
        target.Changed();
        _workers.For(target.Rows, (long)target.Rows * target.Width, row =>
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
        for (var row = 0; row < tensor.Rows; row++)
        {
            var span = new Span<float>(tensor.Row(row), tensor.Width);
            TensorPrimitives.Multiply(span, (float)factor, span);
        }
    }

    /// <inheritdoc/>
    public void SoftCap(EngineTensor x, double cap)
    {
        var tensor = (CpuTensor)x;
        tensor.Changed();
        _workers.For(tensor.Rows, (long)tensor.Rows * tensor.Width * 8, row => Functions.SoftCap(tensor.Row(row), tensor.Width, cap));
    }

    /// <inheritdoc/>
    public void ScaleBySigmoid(EngineTensor x, EngineTensor gate)
    {
        var tensor = (CpuTensor)x;
        var gates = (CpuTensor)gate;
        tensor.Changed();
        for (var row = 0; row < tensor.Rows; row++)
        {
            var span = new Span<float>(tensor.Row(row), tensor.Width);
            TensorPrimitives.Multiply(span, Functions.Sigmoid(*gates.Row(row)), span);
        }
    }

    /// <inheritdoc/>
    public void NormThenGate(EngineTensor x, EngineTensor gate, int headSize, double epsilon, EngineWeight weight)
    {
        var tensor = (CpuTensor)x;
        var gates = (CpuTensor)gate;
        tensor.Changed();
        var w = ((CpuVector)weight).Values;
        _workers.For(tensor.Rows, (long)tensor.Rows * tensor.Width * 8, row =>
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
        for (var row = 0; row < tensor.Rows; row++)
        {
            // The product with zero is zero for finite numbers only.
            if (!TensorPrimitives.IsFiniteAll<float>(new ReadOnlySpan<float>(tensor.Row(row), tensor.Width)))
            {
                return row;
            }
        }

        return -1;
    }

    private static void Normalize(
        float* x, float* y, int width, NormKind kind, double epsilon, float[]? weight, int first, float[]? bias)
    {
        var mean = kind == NormKind.Layer ? Reductions.Sum(x, width) / width : 0.0;
        var inverse = 1.0 / Math.Sqrt((Reductions.SumSquares(x, width, mean) / width) + epsilon);
        var extra = kind == NormKind.RmsPlusOne ? 1f : 0f;
        var shift = (float)mean;
        var factor = (float)inverse;
        for (var i = 0; i < width; i++)
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
