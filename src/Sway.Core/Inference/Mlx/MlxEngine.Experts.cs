using Sway.Inference.Cpu;

namespace Sway.Inference.Mlx;

public sealed unsafe partial class MlxEngine
{
    /// <inheritdoc/>
    public EngineTensor Experts(
        EngineTensor x, EngineTensor routerLogits, ExpertsWeights weights, IReadOnlyList<ExpertDeltaRange> deltas)
    {
        RoutingRule rule = weights.Spec.Rule;
        var logits = (MlxTensor)routerLogits;
        var choices = new List<(int Row, int Slot, float Factor)>[rule.Experts];
        for (int e = 0; e < choices.Length; e++)
        {
            choices[e] = [];
        }

        var chosen = new int[rule.Top];
        var factors = new float[rule.Top];
        float[]? bias = (weights.SelectionBias as MlxVector)?.Host.Values;
        for (int row = 0; row < x.Rows; row++)
        {
            // The same code as on the managed engine, so that a near tie falls to the same expert.
            Routing.Choose(rule, logits.Row(row), bias, chosen, factors);
            for (int i = 0; i < rule.Top; i++)
            {
                choices[chosen[i]].Add((row, i, factors[i]));
            }
        }

        using MlxOperations.Scope scope = _ops.Begin();
        MlxArray input = ArrayOf(x);
        var outputs = new List<MlxArray>();
        var places = new int[x.Rows * rule.Top];
        int place = 0;
        for (int expert = 0; expert < rule.Experts; expert++)
        {
            List<(int Row, int Slot, float Factor)> own = choices[expert];
            if (own.Count == 0)
            {
                continue;
            }

            outputs.Add(Expert(expert, input, own, weights, deltas));
            foreach ((int row, int slot, _) in own)
            {
                places[(row * rule.Top) + slot] = place++;
            }
        }

        int width = weights.Spec.Down.Outputs;
        MlxArray gathered = _ops.Take(_ops.Concatenate(outputs, 0), places, 0);
        return Tensor(scope, _ops.Sum(_ops.Reshape(gathered, x.Rows, rule.Top, width), 1), x.Rows, width);
    }

    // One expert's weighted results for its rows.
    private MlxArray Expert(
        int expert, MlxArray input, List<(int Row, int Slot, float Factor)> choices, ExpertsWeights weights, IReadOnlyList<ExpertDeltaRange> deltas)
    {
        ExpertsSpec spec = weights.Spec;
        int[] rows = [.. choices.Select(choice => choice.Row)];
        MlxArray own = _ops.Take(input, rows, 0);
        MlxArray factors = _ops.New([.. choices.Select(choice => choice.Factor)], own.Type, rows.Length, 1);
        bool onInput = spec.Rule.Kind == RoutingKind.SigmoidOnInput;
        if (onInput)
        {
            own = _ops.Multiply(own, factors);
        }

        MlxArray between = _ops.Concatenate([.. weights.Inputs.Select(matrices => Product(own, (MlxMatrix)matrices[expert]))], 1);
        between = ApplyExpert(deltas, expert, input: true, rows, own, between);
        int column = 0;
        foreach ((IReadOnlyList<EngineWeight> matrices, EngineWeight? bias) in weights.Inputs.Zip(weights.InputBiases))
        {
            int count = ((MlxMatrix)matrices[expert]).Outputs;
            between = AddExpertBias(between, column, count, bias, expert);
            column += count;
        }

        MlxArray hidden = ActivateExpert(spec, between, rows.Length);
        MlxArray output = Product(hidden, (MlxMatrix)weights.Down[expert]);
        output = ApplyExpert(deltas, expert, input: false, rows, hidden, output);
        output = AddExpertBias(output, 0, spec.Down.Outputs, weights.DownBias, expert);
        return onInput ? output : _ops.Multiply(output, factors);
    }

    private MlxArray ApplyExpert(IReadOnlyList<ExpertDeltaRange> deltas, int expert, bool input, int[] rows, MlxArray x, MlxArray y)
    {
        foreach (ExpertDeltaRange range in deltas)
        {
            // Rows are ascending, so those of one view are neighbours.
            int first = Array.FindIndex(rows, row => row >= range.FirstRow);
            int last = Array.FindLastIndex(rows, row => row < range.FirstRow + range.Rows);
            if ((input ? range.Inputs : range.Down)[expert] is { } delta && first >= 0 && last >= first)
            {
                y = Apply(x, first, last - first + 1, y, first, delta, range.Strength);
            }
        }

        return y;
    }

    private MlxArray AddExpertBias(MlxArray y, int column, int outputs, EngineWeight? bias, int expert) => bias is MlxVector vector
        ? _ops.Replace(y, _ops.Add(_ops.Slice(y, 1, column, outputs), _ops.Slice(vector.Array, 0, expert * outputs, outputs)), 1, column)
        : y;

    private MlxArray ActivateExpert(ExpertsSpec spec, MlxArray between, int rows)
    {
        ExpertActivation rule = spec.Activation;
        MlxArray gate, up;
        if (rule.Interleaved)
        {
            MlxArray pairs = _ops.Reshape(between, rows, spec.Width, 2);
            gate = _ops.Reshape(_ops.Slice(pairs, 2, 0, 1), rows, spec.Width);
            up = _ops.Reshape(_ops.Slice(pairs, 2, 1, 1), rows, spec.Width);
        }
        else
        {
            gate = _ops.Slice(between, 1, 0, spec.Width);
            up = _ops.Slice(between, 1, spec.Width, spec.Width);
        }

        if (rule.SigmoidFactor == 0.0)
        {
            return _ops.Multiply(Activated(gate, rule.Activation), up);
        }

        // (clamp(up) + 1) * g * sigmoid(factor * g), g = min(gate, limit): modeling_gpt_oss.
        if (rule.ClampLimit > 0.0)
        {
            gate = _ops.Minimum(gate, rule.ClampLimit);
            up = _ops.Maximum(_ops.Minimum(up, rule.ClampLimit), -rule.ClampLimit);
        }

        MlxArray open = _ops.Multiply(gate, _ops.Sigmoid(_ops.Multiply(gate, rule.SigmoidFactor)));
        return _ops.Multiply(_ops.Add(up, _ops.Number(1.0, up.Type)), open);
    }
}
