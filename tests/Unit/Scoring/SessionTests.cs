using System.Text.Json;
using Sway.Scoring;

namespace Sway.Unit.Scoring;

public sealed class SessionTests
{
    private static ScoringSession Open(ScoringOptions? options = null, string model = "llama-gqa", string adapter = "all") =>
        ScoringSession.Open(Golden.Folder(model), Path.Combine(Golden.Folder(model), "adapters", adapter), options);

    [Theory]
    [InlineData("lm_eval")]
    [InlineData("llama_cpp")]
    [InlineData("strided")]
    [InlineData("full")]
    public void Windows_give_the_goldens(string rule)
    {
        JsonElement golden = Golden.Read("llama-gqa", "windows.json");
        int[] text = Golden.Ints(golden.GetProperty("text_token_ids"));
        var cases = rule == "lm_eval" ? golden.GetProperty(rule).GetProperty("cases").EnumerateArray().ToArray() : [golden.GetProperty(rule)];
        using ScoringSession session = Open();
        foreach (JsonElement one in cases)
        {
            int[] own = rule == "lm_eval" ? text[..one.GetProperty("text_tokens").GetInt32()] : text;
            var windows = rule switch
            {
                "lm_eval" => RollingWindows.Plan(RollingPreset.LmEval, own, 1, 32),
                "llama_cpp" => RollingWindows.Plan(RollingPreset.LlamaCpp, own, 1, 32),
                "strided" => RollingWindows.Plan(RollingPreset.Full, own, 1, 32, 8),
                _ => RollingWindows.Plan(RollingPreset.Full, own, 1, 1000),
            };
            var scores = session.Score(windows).ToArray();
            Golden.Worst([.. scores.SelectMany(s => s.Base.LogProbs)], Golden.Numbers(one.GetProperty("base").GetProperty("logprobs"))).ShouldBeLessThan(5e-5);
            Golden.Worst([.. scores.SelectMany(s => s.Adapted!.LogProbs)], Golden.Numbers(one.GetProperty("all").GetProperty("logprobs"))).ShouldBeLessThan(5e-5);
        }
    }

    [Fact]
    public void Prompts_with_a_common_prefix_give_the_goldens_and_the_same_bits_as_alone()
    {
        var items = Golden.Read("llama-gqa", "prefixes.json").GetProperty("items").EnumerateArray().ToArray();
        var sequences = items.Select(item =>
        {
            int[] prompt = Golden.Ints(item.GetProperty("prompt_ids"));
            return new TokenSequence([.. prompt, .. Golden.Ints(item.GetProperty("completion_ids"))], prompt.Length);
        }).ToArray();
        using ScoringSession session = Open();
        using ScoringSession alone = Open(new ScoringOptions { SharePrefixes = false, WaveTokens = 1, Threads = 1 });
        var shared = session.Score(sequences, divergence: true).ToArray();
        var single = alone.Score(sequences, divergence: true).ToArray();
        for (int i = 0; i < items.Length; i++)
        {
            Golden.Worst(shared[i].Adapted!.LogProbs, Golden.Numbers(items[i].GetProperty("all").GetProperty("logprobs"))).ShouldBeLessThan(5e-5);
            Golden.Worst(shared[i].Divergence!.AdaptedBase, Golden.Numbers(items[i].GetProperty("kl_adapted_base"))).ShouldBeLessThan(5e-5);
            shared[i].Base.Ranks.ShouldBe(Golden.Ints(items[i].GetProperty("base").GetProperty("ranks")).Select(rank => rank + 1));
            SameBits(shared[i], single[i]);
        }
    }

    [Theory]
    [InlineData("llama-gqa", "all")]
    [InlineData("qwen3-moe", "experts")]
    [InlineData("gemma2", "all")]
    [InlineData("qwen3-5-text", "all-linear")]
    [InlineData("lfm2", "all-linear")]
    public void Bits_do_not_depend_on_batch_size_or_threads(string model, string adapter)
    {
        var golden = Golden.Read(model);
        int[] ids = Golden.Ints(golden.GetProperty("sequences")[2]);
        var sequences = Enumerable.Range(0, 16).Select(i => new TokenSequence([.. ids.Skip(i % 3).Take(20 + (3 * i))], 1)).ToArray();
        SequenceScore[]? first = null;
        foreach ((int wave, int threads) in (ReadOnlySpan<(int, int)>)[(1, 1), (130, 2), (100_000, 1), (100_000, 2)])
        {
            using ScoringSession session = Open(new ScoringOptions { WaveTokens = wave, Threads = threads }, model, adapter);
            var scores = session.Score(sequences, divergence: true).ToArray();
            first ??= scores;
            for (int i = 0; i < scores.Length; i++)
            {
                SameBits(scores[i], first[i]);
            }
        }
    }

    [Fact]
    public void Strengths_give_the_goldens_and_zero_is_the_base()
    {
        JsonElement golden = Golden.Read("llama-gqa", "scaled.json");
        int[] ids = Golden.Ints(golden.GetProperty("token_ids"));
        foreach (JsonElement one in golden.GetProperty("lambdas").EnumerateArray())
        {
            double strength = one.GetProperty("lambda").GetDouble();
            using ScoringSession session = Open(new ScoringOptions { Strength = strength });
            SequenceScore score = session.Score(new TokenSequence(ids, 1), divergence: true);
            Golden.Worst(score.Adapted!.LogProbs, Golden.Numbers(one.GetProperty("logprobs"))).ShouldBeLessThan(1e-4);
            if (strength == 0.0)
            {
                score.Adapted.LogProbs.ShouldBe(score.Base.LogProbs);
                score.Divergence!.JensenShannon.ShouldAllBe(value => value == 0.0);
            }
        }
    }

    [Theory]
    [InlineData("llama-gqa")]
    [InlineData("phi3-longrope")]
    [InlineData("lfm2")]
    [InlineData("qwen3-5-text")]
    [InlineData("gpt-oss")]
    [InlineData("deepseek-v3")]
    [InlineData("cohere2")]
    public void Greedy_generation_gives_the_goldens(string model)
    {
        JsonElement greedy = Golden.Read(model).GetProperty("greedy");
        JsonElement views = greedy.TryGetProperty("views", out JsonElement inner) ? inner : greedy;
        int[] prompt = Golden.Ints(greedy.GetProperty("prompt"));
        JsonElement own = views.GetProperty("base");
        int[] want = Golden.Ints(own.ValueKind == JsonValueKind.Array ? own : own.GetProperty("tokens"));
        using var session = ScoringSession.Open(Golden.Folder(model));
        NextToken.Generate(session, prompt, false, new GenerationSettings { MaxTokens = want.Length }).ShouldBe(want);
    }

    private static void SameBits(SequenceScore a, SequenceScore b)
    {
        a.Base.LogProbs.ShouldBe(b.Base.LogProbs);
        a.Adapted!.LogProbs.ShouldBe(b.Adapted!.LogProbs);
        a.Divergence!.AdaptedBase.ShouldBe(b.Divergence!.AdaptedBase);
        a.Divergence!.JensenShannon.ShouldBe(b.Divergence!.JensenShannon);
    }
}
