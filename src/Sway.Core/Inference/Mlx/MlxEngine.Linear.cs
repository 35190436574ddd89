using Sway.Inference.Cpu;

namespace Sway.Inference.Mlx;

public sealed unsafe partial class MlxEngine
{
    // Weights of another type than the activations are widened in blocks of so many elements, so that no second copy of a matrix exists.
    private const int BlockElements = 4 << 20;

    /// <inheritdoc/>
    public EngineTensor Embed(EngineWeight matrix, ReadOnlySpan<int> ids)
    {
        var host = ((MlxMatrix)matrix).Host;
        using var rows = (CpuTensor)_host.Embed(host, ids);
        return FromHost(rows);
    }

    /// <inheritdoc/>
    public EngineTensor Linear(EngineTensor x, EngineWeight weight, EngineWeight? bias, ReadOnlySpan<DeltaRange> deltas)
    {
        Cancellation.ThrowIfCancellationRequested();
        using MlxOperations.Scope scope = _ops.Begin();
        MlxArray input = ArrayOf(x);
        var matrix = (MlxMatrix)weight;
        MlxArray y = Product(input, matrix);
        foreach (DeltaRange range in deltas)
        {
            y = Apply(input, range.FirstRow, range.Rows, y, range.FirstRow, range.Delta, range.Strength);
        }

        if (bias is MlxVector vector)
        {
            y = _ops.Add(y, vector.Array);
        }

        foreach (DeltaRange range in deltas)
        {
            if (range.Delta.BiasDelta is MlxVector delta && range.Rows > 0)
            {
                MlxArray rows = _ops.Slice(y, 0, range.FirstRow, range.Rows);
                y = _ops.Replace(y, _ops.Add(rows, _ops.Multiply(delta.Array, range.Strength)), 0, range.FirstRow);
            }
        }

        return Tensor(scope, y, x.Rows, matrix.Outputs);
    }

    /// <inheritdoc/>
    public EngineTensor Gather(IReadOnlyList<EngineTensor> parts, ReadOnlySpan<int> rows)
    {
        ArgumentNullException.ThrowIfNull(parts);
        CheckRows(parts.Sum(part => part.Rows), rows);
        using MlxOperations.Scope scope = _ops.Begin();
        MlxArray all = parts.Count == 1 ? ArrayOf(parts[0]) : _ops.Concatenate([.. parts.Select(ArrayOf)], 0);
        return Tensor(scope, _ops.Take(all, rows, 0), rows.Length, parts[0].Width);
    }

    /// <inheritdoc/>
    public EngineTensor Repeat(EngineTensor x, int times)
    {
        var rows = new int[checked(x.Rows * times)];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = i % x.Rows;
        }

        using (x)
        {
            return Gather([x], rows);
        }
    }

    /// <inheritdoc/>
    public EngineTensor Columns(EngineTensor x, int first, int count)
    {
        using MlxOperations.Scope scope = _ops.Begin();
        return Tensor(scope, _ops.Slice(ArrayOf(x), 1, first, count), x.Rows, count);
    }

    /// <inheritdoc/>
    public void AddRows(EngineTensor x, int firstRow, EngineTensor y, double factor) => Update(x, array =>
        _ops.Replace(array, _ops.Add(_ops.Slice(array, 0, firstRow, y.Rows), _ops.Multiply(ArrayOf(y), factor)), 0, firstRow));

    /// <inheritdoc/>
    public void Blend(EngineTensor x, int firstRow, EngineTensor y, double strength) => Update(x, array =>
        _ops.Replace(array, Between(_ops.Slice(array, 0, firstRow, y.Rows), ArrayOf(y), strength), 0, firstRow));

    private static void CheckRows(int count, ReadOnlySpan<int> rows)
    {
        // A wrong index would read foreign memory in native code.
        foreach (int row in rows)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(row);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, count);
        }
    }

    private MlxArray Between(MlxArray from, MlxArray to, double strength) =>
        strength == 1.0 ? to : _ops.Add(from, _ops.Multiply(_ops.Subtract(to, from), strength));

    // x W^T.
    private MlxArray Product(MlxArray x, MlxMatrix matrix)
    {
        MlxMatrixArrays arrays = matrix.Arrays;
        if (arrays.Scales is { } scales)
        {
            return _ops.QuantizedMatMul(x, arrays.Weights, scales, arrays.Biases!, arrays.Quantization.Group, arrays.Quantization.Bits);
        }

        int inputs = matrix.Host.Panels.Inputs;
        if (arrays.Weights.Type == x.Type || (long)matrix.Outputs * inputs <= BlockElements)
        {
            return _ops.MatMul(x, Oriented(_ops.Cast(arrays.Weights, x.Type), arrays.Transposed));
        }

        int block = Math.Max(1, BlockElements / inputs);
        var parts = new List<MlxArray>();
        for (int first = 0; first < matrix.Outputs; first += block)
        {
            int count = Math.Min(block, matrix.Outputs - first);
            parts.Add(_ops.Adopt(BlockProduct(x, arrays, first, count)));
        }

        return _ops.Concatenate(parts, 1);
    }

    // One block at a time: in one graph the widened blocks could all exist at once.
    private MlxArray BlockProduct(MlxArray x, MlxMatrixArrays arrays, int first, int count)
    {
        using MlxOperations.Scope scope = _ops.Begin();
        MlxArray part = _ops.Slice(arrays.Weights, arrays.Transposed ? 1 : 0, first, count);
        return Settled(scope, _ops.MatMul(x, Oriented(_ops.Cast(part, x.Type), arrays.Transposed)));
    }

    private MlxArray Oriented(MlxArray weights, bool transposed) => transposed ? weights : _ops.Transpose(weights, 1, 0);

    // What one view adds to rows of a linear layer's result, before the bias.
    private MlxArray Apply(MlxArray x, int xFirst, int rows, MlxArray y, int yFirst, LinearDelta delta, double strength)
    {
        if (strength == 0.0 || rows == 0)
        {
            return y;
        }

        // Terms alone are linear in the strength; gains and replaced matrices interpolate between the two results.
        bool interpolate = delta.Gains is not null || delta.Replacement is not null;
        double termStrength = interpolate ? 1.0 : strength;
        MlxArray input = _ops.Slice(x, 0, xFirst, rows);
        MlxArray before = _ops.Slice(y, 0, yFirst, rows);
        MlxArray after = delta.Replacement is MlxMatrix replacement ? Product(input, replacement) : before;
        foreach (LowRankTerm term in delta.Terms)
        {
            var down = (MlxMatrix)term.A;
            var up = (MlxMatrix)term.B;
            if (down.Outputs > 0)
            {
                MlxArray low = _ops.Multiply(Product(input, down), term.Scaling * termStrength);
                after = AddColumns(after, term.FirstOutput, Product(low, up), up.Outputs);
            }

            if (term.Bias is MlxVector bias)
            {
                MlxArray constant = _ops.Broadcast(_ops.Multiply(bias.Array, termStrength), rows, bias.Host.Values.Length);
                after = AddColumns(after, term.FirstOutput, constant, bias.Host.Values.Length);
            }
        }

        if (delta.Gains is MlxVector gains)
        {
            after = _ops.Multiply(after, gains.Array);
        }

        return _ops.Replace(y, interpolate ? Between(before, after, strength) : after, 0, yFirst);
    }

    private MlxArray AddColumns(MlxArray y, int first, MlxArray update, int count) =>
        _ops.Replace(y, _ops.Add(_ops.Slice(y, 1, first, count), update), 1, first);

    private MlxTensor FromHost(CpuTensor rows)
    {
        using MlxOperations.Scope scope = _ops.Begin();
        return Tensor(scope, _ops.Cast(_ops.New(rows.Data, MlxType.Float32, rows.Rows, rows.Width), Type), rows.Rows, rows.Width);
    }
}
