using System.Numerics.Tensors;

namespace Sway.Inference.Cpu;

public sealed unsafe partial class CpuEngine
{
    /// <inheritdoc/>
    public EngineTensor Experts(
        EngineTensor x, EngineTensor routerLogits, ExpertsWeights weights, IReadOnlyList<ExpertDeltaRange> deltas)
    {
        var input = Settled(x);
        var logits = Settled(routerLogits);
        var rule = weights.Spec.Rule;
        var result = New(input.Rows, weights.Spec.Down.Outputs);
        result.Span.Clear();
        var lists = Route(logits, rule, (weights.SelectionBias as CpuVector)?.Values);

        // Experts in ascending order: a token's sum has the same order whatever else is in the batch.
        for (var expert = 0; expert < rule.Experts; expert++)
        {
            var (rows, factors) = lists[expert];
            if (rows.Count > 0)
            {
                Expert(expert, input, rows, factors, weights, deltas, result);
            }
        }

        return result;
    }

    private static (List<int> Rows, List<float> Factors)[] Route(CpuTensor logits, RoutingRule rule, float[]? bias)
    {
        var lists = new (List<int> Rows, List<float> Factors)[rule.Experts];
        for (var e = 0; e < lists.Length; e++)
        {
            lists[e] = ([], []);
        }

        var chosen = new int[rule.Top];
        var factors = new float[rule.Top];
        for (var row = 0; row < logits.Rows; row++)
        {
            Routing.Choose(rule, new ReadOnlySpan<float>(logits.Row(row), rule.Experts), bias, chosen, factors);
            for (var i = 0; i < rule.Top; i++)
            {
                lists[chosen[i]].Rows.Add(row);
                lists[chosen[i]].Factors.Add(factors[i]);
            }
        }

        return lists;
    }

    private void Expert(
        int expert, CpuTensor input, List<int> rows, List<float> factors, ExpertsWeights weights, IReadOnlyList<ExpertDeltaRange> deltas,
        CpuTensor result)
    {
        var spec = weights.Spec;
        var onInput = spec.Rule.Kind == RoutingKind.SigmoidOnInput;
        using var own = (CpuTensor)Gather([input], System.Runtime.InteropServices.CollectionsMarshal.AsSpan(rows));
        if (onInput)
        {
            for (var i = 0; i < rows.Count; i++)
            {
                var span = new Span<float>(own.Row(i), own.Width);
                TensorPrimitives.Multiply(span, factors[i], span);
            }
        }

        using var between = New(rows.Count, 2 * spec.Width);
        var column = 0;
        foreach (var (matrices, _) in weights.Inputs.Zip(weights.InputBiases))
        {
            var panels = ((CpuMatrix)matrices[expert]).Panels;
            MatrixProduct.Run(_workers, own.Packed(_workers), panels, between.Data + column, between.Width, add: false);
            column += panels.Outputs;
        }

        ApplyExpert(deltas, expert, input: true, rows, own, between);
        column = 0;
        foreach (var (matrices, bias) in weights.Inputs.Zip(weights.InputBiases))
        {
            var outputs = ((CpuMatrix)matrices[expert]).Panels.Outputs;
            AddExpertBias(between, column, outputs, bias, expert);
            column += outputs;
        }

        using var hidden = New(rows.Count, spec.Width);
        ForRows(rows.Count, (long)spec.Width * 8, row => ActivateExpert(spec.Activation, between.Row(row), hidden.Row(row), spec.Width));
        var down = ((CpuMatrix)weights.Down[expert]).Panels;
        using var output = New(rows.Count, down.Outputs);
        MatrixProduct.Run(_workers, hidden.Packed(_workers), down, output.Data, output.Width, add: false);
        ApplyExpert(deltas, expert, input: false, rows, hidden, output);
        AddExpertBias(output, 0, down.Outputs, weights.DownBias, expert);
        for (var i = 0; i < rows.Count; i++)
        {
            var to = new Span<float>(result.Row(rows[i]), result.Width);
            TensorPrimitives.FusedMultiplyAdd<float>(new ReadOnlySpan<float>(output.Row(i), output.Width), onInput ? 1f : factors[i], to, to);
        }
    }

    private void ApplyExpert(IReadOnlyList<ExpertDeltaRange> deltas, int expert, bool input, List<int> rows, CpuTensor x, CpuTensor y)
    {
        foreach (var range in deltas)
        {
            var delta = (input ? range.Inputs : range.Down)[expert];
            if (delta is null)
            {
                continue;
            }

            // Rows are ascending, so those of one view are neighbours.
            var first = rows.FindIndex(row => row >= range.FirstRow);
            var last = rows.FindLastIndex(row => row < range.FirstRow + range.Rows);
            if (first >= 0 && last >= first)
            {
                var own = new DeltaRange(first, last - first + 1, delta, range.Strength);
                using var terms = FusedTerms.Compute(_pool, _workers, x, [own]);
                foreach (var update in terms.Updates)
                {
                    AddUpdate(update, y);
                }

                Apply(x, y, own);
            }
        }
    }

    private static void AddExpertBias(CpuTensor y, int column, int outputs, EngineWeight? bias, int expert)
    {
        if (bias is not CpuVector vector)
        {
            return;
        }

        for (var row = 0; row < y.Rows; row++)
        {
            var to = new Span<float>(y.Row(row) + column, outputs);
            TensorPrimitives.Add(to, vector.Values.AsSpan(expert * outputs, outputs), to);
        }
    }

    private static void ActivateExpert(ExpertActivation rule, float* between, float* hidden, int width)
    {
        var step = rule.Interleaved ? 2 : 1;
        var gates = stackalloc float[width];
        for (var i = 0; i < width; i++)
        {
            gates[i] = between[i * step];
        }

        if (rule.SigmoidFactor == 0.0)
        {
            Functions.Apply(rule.Activation, new ReadOnlySpan<float>(gates, width), new Span<float>(hidden, width));
        }

        var limit = (float)rule.ClampLimit;
        for (var i = 0; i < width; i++)
        {
            var up = between[rule.Interleaved ? (2 * i) + 1 : width + i];
            if (rule.SigmoidFactor == 0.0)
            {
                hidden[i] *= up;
                continue;
            }

            // (clamp(up) + 1) * g * sigmoid(factor * g), g = min(gate, limit): modeling_gpt_oss.
            var gate = limit > 0f ? Math.Min(gates[i], limit) : gates[i];
            up = limit > 0f ? Math.Clamp(up, -limit, limit) : up;
            hidden[i] = (up + 1f) * (gate * Functions.Sigmoid((float)rule.SigmoidFactor * gate));
        }
    }
}
