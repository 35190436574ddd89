using System.Text.Json;
using Sway.Scoring;
using Sway.Tokenization;

namespace Sway.Cli.Diagnostics;

/// <summary>What one sample adapter changes, in nats per token, in each field; or why it cannot be measured.</summary>
/// <param name="Name">The adapter's name.</param>
/// <param name="Base">The base's mean loss (negative log-probability) of a token in each field.</param>
/// <param name="Gains">How much less the adapter's is.</param>
/// <param name="Error">Why there are no numbers, or null.</param>
internal sealed record SampleGain(string Name, double[] Base, double[] Gains, SwayException? Error)
{
    /// <summary>Whether it is as the samples are made: the broken one is refused, the untrained one changes nothing at all.</summary>
    internal bool IsAsExpected => Name switch
    {
        Samples.RefusedName => Error is AdapterFormatException or ScoringException,
        Samples.UntrainedName => Error is null && Array.TrueForAll(Gains, gain => gain == 0.0),
        _ => Error is null,
    };
}

/// <summary>Measures the sample adapters on the sample texts and prompts, with the base loaded once.</summary>
internal sealed class SampleGains
{
    private static readonly string[] s_facts = ["memorized", "contradicted", "unseen"];

    private readonly Samples _samples;
    private readonly Tokenizer _tokenizer;

    internal SampleGains(Samples samples)
    {
        _samples = samples;
        _tokenizer = Tokenizer.Load(Path.Combine(samples.Folder, "base"));
        Fields = [.. samples.Texts.Select(text => Path.GetFileNameWithoutExtension(text)), .. s_facts];
    }

    /// <summary>The texts' names, then the kinds of prompts.</summary>
    internal IReadOnlyList<string> Fields { get; }

    /// <summary>Measures each adapter.</summary>
    internal IEnumerable<SampleGain> Measure(IEnumerable<string> adapters, CancellationToken cancellationToken)
    {
        using ScoringSession session = ScoringSession.Open(Path.Combine(_samples.Folder, "base"));
        IReadOnlyList<TokenSequence>[] fields =
        [
            .. _samples.Texts.Select(text => Windows(File.ReadAllText(text), session.MaxPositions)),
            .. s_facts.Select(kind => Prompts().Where(prompt => prompt.Kind == kind).Select(prompt => prompt.Tokens).ToArray()),
        ];
        foreach (string adapter in adapters)
        {
            yield return Measure(session, adapter, fields, cancellationToken);
        }
    }

    private static SampleGain Measure(
        ScoringSession session, string adapter, IReadOnlyList<TokenSequence>[] fields, CancellationToken cancellationToken)
    {
        string name = Path.GetFileName(adapter);
        try
        {
            session.Attach(adapter);
            ScoredGroup<IReadOnlyList<TokenSequence>>[] scored =
                [.. session.ScoreGroups(fields, field => field, cancellationToken: cancellationToken)];
            if (Array.Find(scored, field => field.Error is not null)?.Error is { } error)
            {
                return new SampleGain(name, [], [], error);
            }

            double[] own = [.. scored.Select(field => -field.Scores.SelectMany(score => score.Base.LogProbs).Average())];
            double[] adapted = [.. scored.Select(field => -field.Scores.SelectMany(score => score.Adapted!.LogProbs).Average())];
            return new SampleGain(name, own, [.. own.Zip(adapted, (a, b) => a - b)], null);
        }
        catch (SwayException error)
        {
            return new SampleGain(name, [], [], error);
        }
    }

    private IReadOnlyList<TokenSequence> Windows(string text, int length) => RollingWindows.Plan(
        RollingPreset.LmEval, _tokenizer.Encode(text, addSpecialTokens: false).Ids, _tokenizer.TemplatePrefix[0], length);

    private IEnumerable<(string Kind, TokenSequence Tokens)> Prompts()
    {
        foreach (string line in File.ReadLines(Path.Combine(_samples.Folder, "prompts.jsonl")))
        {
            using JsonDocument item = JsonDocument.Parse(line);
            string kind = item.RootElement.GetProperty("category").GetString()!;
            if (!s_facts.Contains(kind))
            {
                continue;
            }

            PromptBoundary found = PromptBoundary.Find(
                _tokenizer, item.RootElement.GetProperty("prompt").GetString()!, item.RootElement.GetProperty("completion").GetString()!,
                addSpecialTokens: false);
            int[] start = [.. _tokenizer.TemplatePrefix];
            yield return (kind, new TokenSequence([.. start, .. found.Encoding.Ids], start.Length + found.FirstCompletionToken!.Value));
        }
    }
}
