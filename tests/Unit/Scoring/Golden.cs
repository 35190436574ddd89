using System.Text.Json;
using Sway.Scoring;
using Sway.Unit.Support;

namespace Sway.Unit.Scoring;

/// <summary>The scoring fixtures: tiny models and what transformers gives for them in float64.</summary>
internal static class Golden
{
    public static string Folder(string model) => Repository.Fixture("scoring", model);

    public static IEnumerable<string> Models => Directory.GetDirectories(Repository.Fixture("scoring"))
        .Where(folder => File.Exists(Path.Combine(folder, "golden.json"))).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal);

    public static JsonElement Read(string model, string file = "golden.json")
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder(model), file)));
        return document.RootElement.Clone();
    }

    public static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(item => item.GetInt32())];

    public static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(item => item.GetDouble())];

    public static double Worst(IReadOnlyList<double> got, IReadOnlyList<double> want)
    {
        got.Count.ShouldBe(want.Count);
        return got.Zip(want, (a, b) => Math.Abs(a - b)).DefaultIfEmpty().Max();
    }

    /// <summary>The largest error of one view over all sequences.</summary>
    public static double Error(string model, string view, string kind = "adapters", ScoringOptions? options = null)
    {
        var golden = Read(model);
        using var session = ScoringSession.Open(
            Folder(model), view == "base" ? null : Path.Combine(Folder(model), kind, view), options);
        var truth = golden.GetProperty("views").GetProperty(view).GetProperty("scores");
        var bases = golden.GetProperty("views").GetProperty("base").GetProperty("scores");
        var sequences = golden.GetProperty("sequences").EnumerateArray().Select(Ints).ToArray();
        var worst = 0.0;
        for (var i = 0; i < sequences.Length; i++)
        {
            if (sequences[i].Length < 2)
            {
                continue;
            }

            var score = session.Score(new TokenSequence(sequences[i], 1), divergence: true);
            worst = Math.Max(worst, Worst(score.Base.LogProbs, Numbers(bases[i].GetProperty("logprobs"))));
            if (score.Adapted is not null)
            {
                worst = Math.Max(worst, Worst(score.Adapted.LogProbs, Numbers(truth[i].GetProperty("logprobs"))));
                var count = sequences[i].Length - 1;
                worst = Math.Max(worst, Worst(score.Divergence!.AdaptedBase, [.. Numbers(truth[i].GetProperty("kl_adapted_base")).Take(count)]));
                worst = Math.Max(worst, Worst(score.Divergence!.BaseAdapted, [.. Numbers(truth[i].GetProperty("kl_base_adapted")).Take(count)]));
                worst = Math.Max(worst, Worst(score.Divergence!.JensenShannon, [.. Numbers(truth[i].GetProperty("js")).Take(count)]));
            }
        }

        return worst;
    }

    /// <summary>Five times the spread that transformers has itself in float32, at least 2e-5.</summary>
    public static double Tolerance(string model, string view)
    {
        var golden = Read(model);
        return golden.TryGetProperty("measured", out var measured) && measured.TryGetProperty(view, out var own)
            && own.TryGetProperty("transformers_float32_vs_float64", out var spread) && spread.TryGetProperty("max_abs_token_logprob", out var value)
            ? Math.Max(2e-5, 5.0 * value.GetDouble())
            : 2e-5;
    }
}
