using System.Text.RegularExpressions;

namespace Sway.Adapters.Peft;

/// <summary>
/// A key of PEFT's rank_pattern or alpha_pattern: <c>re.match(rf"(.*\.)?({key})$", path)</c> with Python's rules.
/// Syntax that .NET reads differently is refused rather than guessed at.
/// </summary>
internal sealed class PythonPattern
{
    // A pattern that needs longer for one path backtracks without end; it is refused. Long enough that a busy machine refuses nothing else.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(3);

    private readonly Regex _regex;

    public PythonPattern(string key, bool whole = false)
    {
        Key = key;
        if (key.Contains("-[", StringComparison.Ordinal) || HasForeignGroup(key) || key.Contains(@"\p", StringComparison.Ordinal)
            || key.Contains(@"\G", StringComparison.Ordinal) || key.Contains(@"\z", StringComparison.Ordinal))
        {
            throw new ArgumentException($"the pattern {key} uses syntax that is not Python's", nameof(key));
        }

        // PEFT's own two groups are kept: a key's back-references count them.
        string translated = key.Replace("(?P<", "(?<", StringComparison.Ordinal).Replace(@"\Z", @"\z", StringComparison.Ordinal);
        _regex = new Regex(whole ? $@"\A(?:{translated})\z" : $@"\A(.*\.)?({translated})$", RegexOptions.CultureInvariant, s_limit);
    }

    public string Key { get; }

    /// <exception cref="RegexMatchTimeoutException">The pattern backtracks without end.</exception>
    public bool Matches(string path) => _regex.IsMatch(path);

    private static bool HasForeignGroup(string key)
    {
        for (int at = key.IndexOf("(?", StringComparison.Ordinal); at >= 0; at = key.IndexOf("(?", at + 2, StringComparison.Ordinal))
        {
            string rest = key[(at + 2)..];
            if (!(rest.StartsWith(':') || rest.StartsWith('=') || rest.StartsWith('!') || rest.StartsWith("<=", StringComparison.Ordinal)
                || rest.StartsWith("<!", StringComparison.Ordinal) || rest.StartsWith("P<", StringComparison.Ordinal)))
            {
                return true;
            }
        }

        return false;
    }
}
