using Sway.Numerics;
using Sway.Scoring;

namespace Sway.Unit.Scoring;

public sealed class NextTokenTests
{
    [Theory]
    [InlineData(0f)]
    [InlineData(30f)]
    [InlineData(300f)]
    [InlineData(2000f)]
    public void The_mass_of_the_tail_is_exact_however_small(float lead)
    {
        // Two tokens lead; ln of the mass of the 998 others is known in closed form.
        float[] logits = new float[1000];
        logits[3] = logits[7] = lead;
        int[] rest = [.. Enumerable.Range(0, 1000).Where(i => i is not (3 or 7))];
        double tail = VocabularyMath.LogSumExp(logits, rest) - VocabularyMath.LogSumExp(logits);
        double want = Math.Log(998.0) - lead - Math.Log(2.0 + (998.0 * Math.Exp(-lead)));
        tail.ShouldBe(want, 1e-12 * Math.Max(1.0, Math.Abs(want)));
    }

    [Fact]
    public void Listed_and_unlisted_tokens_make_one()
    {
        using var session = ScoringSession.Open(Golden.Folder("llama-gqa"));
        int[] prompt = Golden.Ints(Golden.Read("llama-gqa").GetProperty("sequences")[2])[..9];
        foreach (int k in (ReadOnlySpan<int>)[1, 7, 40])
        {
            NextTokenView view = NextToken.Predict(session, prompt, k, TestContext.Current.CancellationToken).Base;
            double mass = view.LogProbs.Sum(Math.Exp) + Math.Exp(view.TailLogProb!.Value);
            mass.ShouldBe(1.0, 1e-14);
        }

        NextToken.Predict(session, prompt, int.MaxValue, TestContext.Current.CancellationToken).Base.TailLogProb.ShouldBeNull();
    }

    /// <summary>The same tokens as a stable sort of the whole vocabulary gives, to the last bit of each sum.</summary>
    [Theory]
    [InlineData(0.7, 1.0)]
    [InlineData(1.0, 0.9)]
    [InlineData(3.0, 0.5)]
    [InlineData(0.01, 1.0)]
    public void Draws_are_those_of_a_sorted_vocabulary(double temperature, double topP)
    {
        var random = new Random(5);
        var settings = new GenerationSettings { Temperature = temperature, TopP = topP };
        var (draws, wanted) = (new SplitMix(9), new SplitMix(9));
        for (int i = 0; i < 200; i++)
        {
            // Coarse numbers, so that many are equal, zeros of both signs among them.
            float[] logits = [.. Enumerable.Range(0, 700).Select(_ => MathF.Round((random.NextSingle() - 0.5f) * 20f) * 0.5f)];
            settings.Choose(logits, draws).ShouldBe(Sorted(logits, settings, wanted));
        }
    }

    [Fact]
    public void Descending_order_is_that_of_a_stable_sort()
    {
        var random = new Random(3);
        float[] values = [.. Enumerable.Range(0, 5000).Select(_ => BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)))
            .Where(float.IsFinite), 0f, -0f, 0f, float.MaxValue, float.MinValue, float.Epsilon, -float.Epsilon, -0f];
        int[] order = new int[values.Length];

        DescendingOrder.Of(values, order);

        order.ShouldBe(Enumerable.Range(0, values.Length).OrderByDescending(i => values[i]).ThenBy(i => i));
    }

    private static int Sorted(float[] logits, GenerationSettings settings, SplitMix random)
    {
        int[] order = [.. Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i]).ThenBy(i => i)];
        double[] weights = [.. order.Select(i => Math.Exp((logits[i] - (double)logits[order[0]]) / settings.Temperature))];
        double limit = settings.TopP * weights.Sum();
        int kept = 0;
        double mass = 0.0;
        while (kept < weights.Length && (kept == 0 || mass < limit))
        {
            mass += weights[kept++];
        }

        double draw = random.NextDouble() * mass;
        int place = 0;
        while (place < kept - 1 && (draw -= weights[place]) >= 0.0)
        {
            place++;
        }

        return order[place];
    }
}
