using System.Text.RegularExpressions;

namespace Sway.Adapters.Peft;

/// <summary>
/// A key of PEFT's rank_pattern or alpha_pattern, <c>re.match(rf"(.*\.)?({key})$", path)</c>, or a pattern of target_modules,
/// <c>re.fullmatch(key, path)</c>, with Python's rules. Syntax that .NET reads differently is translated or refused, never guessed at.
/// </summary>
internal sealed class PythonPattern
{
    // A pattern that needs longer for one path backtracks without end; it is refused. Long enough that a busy machine refuses nothing else.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(3);

    private readonly Regex _regex;

    /// <summary>Reads a pattern.</summary>
    /// <param name="key">The pattern as the configuration has it.</param>
    /// <param name="whole">Whether it is matched with the whole path, and not with its end.</param>
    /// <exception cref="ArgumentException">It is not Python's syntax, or .NET would read it differently.</exception>
    public PythonPattern(string key, bool whole = false)
    {
        Key = key;
        string translated = PythonPatternTranslator.Translate(key);

        // PEFT's own two groups are kept: a key's back-references count them.
        _regex = new Regex(whole ? $@"\A(?:{translated})\z" : $@"\A(.*\.)?({translated})$", RegexOptions.CultureInvariant, s_limit);
    }

    /// <summary>The pattern as the configuration has it.</summary>
    public string Key { get; }

    /// <summary>Whether a module's path matches.</summary>
    /// <exception cref="RegexMatchTimeoutException">The pattern backtracks without end.</exception>
    public bool Matches(string path) => _regex.IsMatch(path);
}
