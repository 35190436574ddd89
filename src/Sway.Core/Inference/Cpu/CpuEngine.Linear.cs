using System.Numerics.Tensors;

namespace Sway.Inference.Cpu;

public sealed unsafe partial class CpuEngine
{
    // Bytes of a matrix that are in memory at a time, in whole groups of panels for every thread.
    private const long StripBytes = 2 << 20;

    private const int StripUnit = 1024;

    // To map a byte of a weight again costs about a fiftieth of the time that so many rows take for that weight.
    private const int RowsThatPay = 128;

    // Fewer tokens do not bring enough of a table's pages.
    private const int TokensThatPay = 256;

    /// <inheritdoc/>
    public EngineTensor Embed(EngineWeight matrix, ReadOnlySpan<int> ids)
    {
        var table = (CpuMatrix)matrix;
        var panels = table.Panels;
        foreach (var id in ids)
        {
            if ((uint)id >= (uint)panels.Outputs)
            {
                throw new ScoringException($"Token {id} is outside the vocabulary of {panels.Outputs}.");
            }
        }

        var result = New(ids.Length, panels.Inputs);
        var all = ids.ToArray();
        if (table.Pages is not { } pages || pages.RowBytes * panels.Outputs <= 2 * StripBytes || all.Length < TokensThatPay)
        {
            ForRows(all.Length, panels.Inputs, row => panels.ReadRow(all[row], new Span<float>(result.Row(row), panels.Inputs)));
            return result;
        }

        // Many tokens lie all over the table: in its order, what has been read can leave the memory while the rest is.
        var order = Enumerable.Range(0, all.Length).ToArray();
        Array.Sort([.. all], order);
        var strip = (int)Math.Max(1, StripBytes / pages.RowBytes);
        for (int from = 0, to; from < order.Length; from = to)
        {
            var (start, first) = (from, all[order[from]] / strip * strip);
            for (to = from; to < order.Length && all[order[to]] < first + strip; to++)
            {
            }

            ForRows(to - from, panels.Inputs, i =>
                panels.ReadRow(all[order[start + i]], new Span<float>(result.Row(order[start + i]), panels.Inputs)));
            pages.Forget(first, Math.Min(strip, panels.Outputs - first));
        }

        return result;
    }

    /// <inheritdoc/>
    public EngineTensor Linear(EngineTensor x, EngineWeight weight, EngineWeight? bias, ReadOnlySpan<DeltaRange> deltas)
    {
        var input = (CpuTensor)x;
        var matrix = (CpuMatrix)weight;
        var result = New(input.Rows, matrix.Panels.Outputs);
        using (var terms = FusedTerms.Compute(_pool, _workers, input, deltas))
        {
            Product(input, matrix, result, terms.Updates);
        }

        foreach (var range in deltas)
        {
            Apply(input, result, range);
        }

        if (bias is CpuVector vector)
        {
            AddToRows(result, 0, result.Rows, vector, 1.0);
        }

        foreach (var range in deltas)
        {
            if (range.Delta.BiasDelta is CpuVector delta)
            {
                AddToRows(result, range.FirstRow, range.Rows, delta, range.Strength);
            }
        }

        return result;
    }

    /// <inheritdoc/>
    public void Expect(EngineTensor x, ReadOnlySpan<DeltaRange> deltas) => FirstFactors.Expect(_pool, _workers, (CpuTensor)x, deltas);

    /// <inheritdoc/>
    public EngineTensor Gather(IReadOnlyList<EngineTensor> parts, ReadOnlySpan<int> rows)
    {
        ArgumentNullException.ThrowIfNull(parts);
        var sources = parts.Select(Settled).ToArray();
        var result = New(rows.Length, sources[0].Width);
        var list = rows.ToArray();
        ForRows(list.Length, result.Width, i =>
        {
            var (part, row) = (0, list[i]);
            for (; row >= sources[part].Rows; part++)
            {
                row -= sources[part].Rows;
            }

            Copy(sources[part].Row(row), result.Row(i), result.Width);
        });
        return result;
    }

    /// <inheritdoc/>
    public EngineTensor Repeat(EngineTensor x, int times)
    {
        var source = Settled(x);
        var rows = source.Rows;
        var result = source.TryGrow(checked(rows * times));
        if (result is null)
        {
            result = New(checked(rows * times), source.Width);
            Copy(source.Data, result.Data, checked(rows * source.Width));
            source.Dispose();
        }

        ForRows(rows * (times - 1), source.Width, row => Copy(result.Row(row % rows), result.Row(rows + row), result.Width));
        return result;
    }

    /// <inheritdoc/>
    public EngineTensor Columns(EngineTensor x, int first, int count)
    {
        var source = Settled(x);
        var result = New(source.Rows, count);
        ForRows(source.Rows, count, row => Copy(source.Row(row) + first, result.Row(row), count));

        return result;
    }

    /// <inheritdoc/>
    public void AddRows(EngineTensor x, int firstRow, EngineTensor y, double factor)
    {
        var (target, source) = (Settled(x), Settled(y));
        target.Changed();
        ForRows(source.Rows, source.Width, row =>
        {
            var to = new Span<float>(target.Row(firstRow + row), target.Width);
            TensorPrimitives.FusedMultiplyAdd<float>(new ReadOnlySpan<float>(source.Row(row), source.Width), (float)factor, to, to);
        });
    }

    /// <inheritdoc/>
    public void Blend(EngineTensor x, int firstRow, EngineTensor y, double strength)
    {
        var (target, source) = (Settled(x), Settled(y));
        target.Changed();
        ForRows(source.Rows, source.Width, row =>
        {
            var to = new Span<float>(target.Row(firstRow + row), target.Width);
            var from = new Span<float>(source.Row(row), source.Width);
            if (strength == 1.0)
            {
                from.CopyTo(to);
                return;
            }

            TensorPrimitives.Subtract(from, to, from);
            TensorPrimitives.FusedMultiplyAdd<float>(from, (float)strength, to, to);
        });
    }

    // A large matrix passes by in strips. When many rows have met one, its pages need not stay in memory while the others pass.
    private void Product(CpuTensor x, CpuMatrix matrix, CpuTensor result, ProductUpdate[] updates)
    {
        var packed = x.Packed(_workers);
        var outputs = matrix.Panels.Outputs;
        if (matrix.Pages is not { } pages || pages.RowBytes * outputs <= 2 * StripBytes
            || x.Rows < RowsThatPay * pages.RowBytes / matrix.Panels.Inputs)
        {
            MatrixProduct.Run(_workers, packed, matrix.Panels, result.Data, result.Width, add: false, updates: updates);
            return;
        }

        var strip = (int)Math.Max(1, StripBytes / pages.RowBytes / StripUnit) * StripUnit;
        for (var first = 0; first < outputs; first += strip)
        {
            var slice = new PanelSlice(matrix.Panels, first, Math.Min(strip, outputs - first));
            pages.Map(first, slice.Outputs);
            MatrixProduct.Run(
                _workers, packed, slice, result.Data + first, result.Width, add: false,
                updates: [.. updates.Select(update => update with { FirstOutput = update.FirstOutput - first })]);
            pages.Forget(first, slice.Outputs);
        }
    }

    private static void Copy(float* source, float* destination, int count) =>
        new Span<float>(source, count).CopyTo(new Span<float>(destination, count));

    private void AddToRows(CpuTensor y, int first, int rows, CpuVector vector, double factor) => ForRows(rows, y.Width, row =>
    {
        var to = new Span<float>(y.Row(first + row), y.Width);
        if (factor == 1.0)
        {
            TensorPrimitives.Add(to, vector.Values, to);
        }
        else
        {
            TensorPrimitives.FusedMultiplyAdd<float>(vector.Values, (float)factor, to, to);
        }
    });

    // What one view adds to rows of a linear layer's result, before the bias, as far as it is not in there already.
    private void Apply(CpuTensor x, CpuTensor y, DeltaRange own)
    {
        var (range, delta, strength) = (new RowRange(own.FirstRow, own.Rows), own.Delta, own.Strength);
        if (strength == 0.0 || range.Count == 0)
        {
            return;
        }

        // Terms alone are linear in the strength; gains and replaced matrices interpolate between the two results.
        var interpolate = (delta.Gains is not null || delta.Replacement is not null) && strength != 1.0;
        var termStrength = delta.Gains is null && delta.Replacement is null ? strength : 1.0;
        using var before = interpolate ? Rows(y, range.First, range.Count) : null;
        if (delta.Replacement is CpuMatrix replacement)
        {
            MatrixProduct.Run(_workers, x.Packed(_workers), replacement.Panels, y.Data, y.Width, add: false, range);
        }

        foreach (var term in delta.Terms)
        {
            if (!FusedTerms.Contains(delta, term, strength))
            {
                using var alone = FusedTerms.Compute(_pool, _workers, x, own, term);
                foreach (var update in alone.Updates)
                {
                    AddUpdate(update, y);
                }
            }
        }

        foreach (var term in delta.Terms)
        {
            if (term.Bias is CpuVector bias)
            {
                ForRows(range.Count, bias.Values.Length, row =>
                {
                    var to = new Span<float>(y.Row(range.First + row) + term.FirstOutput, bias.Values.Length);
                    TensorPrimitives.FusedMultiplyAdd<float>(bias.Values, (float)termStrength, to, to);
                });
            }
        }

        if (delta.Gains is null && before is null)
        {
            return;
        }

        ForRows(range.Count, y.Width, row =>
        {
            var to = new Span<float>(y.Row(range.First + row), y.Width);
            if (delta.Gains is CpuVector gains)
            {
                TensorPrimitives.Multiply(to, gains.Values, to);
            }

            if (before is not null)
            {
                var from = new Span<float>(before.Row(row), before.Width);
                TensorPrimitives.Subtract(to, from, to);
                TensorPrimitives.FusedMultiplyAdd<float>(to, (float)strength, from, to);
            }
        });
    }

    private void AddUpdate(ProductUpdate update, CpuTensor y) =>
        MatrixProduct.Add(_workers, update, y.Data + update.FirstOutput, y.Width);

    private CpuTensor Rows(CpuTensor source, int first, int count)
    {
        var result = New(count, source.Width);
        new Span<float>(source.Row(first), count * source.Width).CopyTo(result.Span);
        return result;
    }
}
