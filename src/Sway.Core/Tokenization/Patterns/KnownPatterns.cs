namespace Sway.Tokenization.Patterns;

/// <summary>Picks a hand-written scanner for the patterns that most models share, and the general path for the rest.</summary>
internal static class KnownPatterns
{
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    public const string Qwen2 = Folded + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Marks stay with their letters.</summary>
    public const string Qwen35 = Folded
        + @"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string Folded = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private const string Tail = @"|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    private const string Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    private const string Lead = @"[^\r\n\p{L}\p{N}]?";

    public static ITextPattern Create(string pattern) => Known(pattern) ?? new RegexPattern(pattern);

    public static ITextPattern? Known(string pattern) => pattern switch
    {
        Gpt2 => new Gpt2Scanner(),
        Folded + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + Tail => new TiktokenScanner(3),
        Qwen2 => new TiktokenScanner(1),
        @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
            => new TiktokenScanner(3),
        Lead + Upper + "*" + Lower + "+" + Folded + "?|" + Lead + Upper + "+" + Lower + "*" + Folded
            + @"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + Tail => new O200kScanner(contractions: true, digits: 3),
        Lead + Upper + "*" + Lower + "+|" + Lead + Upper + "+" + Lower + @"*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + Tail
            => new O200kScanner(contractions: false, digits: 1),
        _ => null,
    };
}
