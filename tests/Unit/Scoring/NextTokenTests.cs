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
}
