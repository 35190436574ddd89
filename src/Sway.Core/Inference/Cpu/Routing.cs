namespace Sway.Inference.Cpu;

/// <summary>From router logits to experts and weights, for one token; in double, ties go to the lower expert.</summary>
internal static class Routing
{
    /// <summary>Chooses experts.</summary>
    /// <param name="rule">The rule.</param>
    /// <param name="logits">One for each expert.</param>
    /// <param name="bias">Selection bias or null.</param>
    /// <param name="experts">Receives the chosen experts.</param>
    /// <param name="weights">Receives their weights.</param>
    public static void Choose(RoutingRule rule, ReadOnlySpan<float> logits, float[]? bias, Span<int> experts, Span<float> weights)
    {
        Span<double> scores = stackalloc double[logits.Length];
        Span<double> choice = stackalloc double[logits.Length];
        Span<double> chosen = stackalloc double[rule.Top];
        Score(rule, logits, scores);
        for (var e = 0; e < scores.Length; e++)
        {
            choice[e] = scores[e] + (bias?[e] ?? 0.0);
        }

        if (rule.Groups > 1 || rule.Kind == RoutingKind.GroupedSigmoid)
        {
            LimitGroups(rule, choice);
        }

        Top(choice, experts[..rule.Top]);
        for (var i = 0; i < rule.Top; i++)
        {
            chosen[i] = scores[experts[i]];
        }

        if (rule.Kind == RoutingKind.TopThenSoftmax)
        {
            Softmax(chosen);
        }
        else if (rule.Normalize)
        {
            var sum = rule.Kind == RoutingKind.GroupedSigmoid ? 1e-20 : 0.0;
            foreach (var value in chosen)
            {
                sum += value;
            }

            for (var i = 0; i < chosen.Length; i++)
            {
                chosen[i] /= sum;
            }
        }

        for (var i = 0; i < chosen.Length; i++)
        {
            weights[i] = (float)(chosen[i] * rule.Scale);
        }
    }

    private static void Score(RoutingRule rule, ReadOnlySpan<float> logits, Span<double> scores)
    {
        for (var e = 0; e < logits.Length; e++)
        {
            scores[e] = logits[e];
        }

        switch (rule.Kind)
        {
            case RoutingKind.SoftmaxThenTop or RoutingKind.GroupedSoftmax:
                Softmax(scores);
                break;
            case RoutingKind.GroupedSigmoid or RoutingKind.SigmoidOnInput:
                for (var e = 0; e < scores.Length; e++)
                {
                    scores[e] = 1.0 / (1.0 + Math.Exp(-scores[e]));
                }

                break;
            default:
                break;
        }
    }

    // Groups compete with the sum of their two best (sigmoid) or their best (softmax); experts of the others are out, even where a
    // selection bias makes all that remain negative.
    private static void LimitGroups(RoutingRule rule, Span<double> choice)
    {
        var size = choice.Length / rule.Groups;
        Span<double> groups = stackalloc double[rule.Groups];
        for (var g = 0; g < rule.Groups; g++)
        {
            double first = double.NegativeInfinity, second = double.NegativeInfinity;
            foreach (var value in choice.Slice(g * size, size))
            {
                if (value > first)
                {
                    (first, second) = (value, first);
                }
                else if (value > second)
                {
                    second = value;
                }
            }

            groups[g] = rule.Kind == RoutingKind.GroupedSigmoid ? first + second : first;
        }

        Span<int> best = stackalloc int[rule.TopGroups];
        Top(groups, best);
        for (var g = 0; g < rule.Groups; g++)
        {
            if (!best.Contains(g))
            {
                choice.Slice(g * size, size).Fill(double.NegativeInfinity);
            }
        }
    }

    private static void Top(ReadOnlySpan<double> values, Span<int> best)
    {
        for (var i = 0; i < best.Length; i++)
        {
            var found = -1;
            for (var e = 0; e < values.Length; e++)
            {
                if (!best[..i].Contains(e) && (found < 0 || values[e] > values[found]))
                {
                    found = e;
                }
            }

            best[i] = found;
        }
    }

    private static void Softmax(Span<double> values)
    {
        var max = double.NegativeInfinity;
        foreach (var value in values)
        {
            max = Math.Max(max, value);
        }

        var sum = 0.0;
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = Math.Exp(values[i] - max);
            sum += values[i];
        }

        for (var i = 0; i < values.Length; i++)
        {
            values[i] /= sum;
        }
    }
}
