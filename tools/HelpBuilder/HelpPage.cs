using System.Text.RegularExpressions;

namespace Sway.HelpBuilder;

/// <summary>An example: a heading, the code, and what there is to say.</summary>
internal sealed record HelpExample(string Title, string Code, string Remarks);

/// <summary>A cmdlet's page: <c>##</c> sections in capitals, <c>###</c> for each example and parameter.</summary>
internal sealed partial class HelpPage
{
    private static readonly string[] s_common = ["WhatIf", "Confirm"];

    private readonly Dictionary<string, string> _sections = new(StringComparer.Ordinal);

    internal string Synopsis => Section("SYNOPSIS");

    internal string Description => Section("DESCRIPTION");

    internal string Inputs => Section("INPUTS");

    internal string Outputs => Section("OUTPUTS");

    internal string Notes => Section("NOTES");

    internal List<HelpExample> Examples { get; } = [];

    internal Dictionary<string, string> Parameters { get; } = new(StringComparer.OrdinalIgnoreCase)
    {
        ["WhatIf"] = "Says what would happen, and changes nothing.",
        ["Confirm"] = "Asks before each item.",
    };

    /// <summary>Addresses or names of other pages, one for each list item.</summary>
    internal IEnumerable<string> Links => LinkPattern().Matches(Section("RELATED LINKS")).Select(match => match.Groups[1].Value.Trim());

    internal static HelpPage Parse(string markdown)
    {
        var page = new HelpPage();
        string text = FrontMatterPattern().Replace(markdown.ReplaceLineEndings("\n"), "");
        foreach ((string title, string body) in Split(text, SectionPattern()))
        {
            switch (title)
            {
                case "EXAMPLES":
                    page.Examples.AddRange(Split(body, SubsectionPattern()).Select(example => Example(example.Title, example.Body)));
                    break;
                case "PARAMETERS":
                    foreach ((string name, string about) in Split(body, SubsectionPattern()))
                    {
                        page.Parameters[name.TrimStart('-')] = Plain(about);
                    }

                    break;
                default:
                    page._sections[title] = title == "RELATED LINKS" ? body : Plain(body);
                    break;
            }
        }

        return page;
    }

    /// <summary>What a reader would miss.</summary>
    internal IEnumerable<string> FindGaps(CmdletDescription cmdlet)
    {
        if (Synopsis.Length == 0 || Description.Length == 0)
        {
            yield return "a SYNOPSIS and a DESCRIPTION are needed";
        }

        if (Examples.Count == 0 || Examples.Exists(example => example.Code.Length == 0))
        {
            yield return "at least one example is needed, each with a code block";
        }

        foreach (string name in cmdlet.Parameters.Select(parameter => parameter.Name).Where(name => !Parameters.ContainsKey(name)))
        {
            yield return $"-{name} is not described";
        }

        foreach (string name in Parameters.Keys.Except(cmdlet.Parameters.Select(parameter => parameter.Name)).Except(s_common))
        {
            yield return $"-{name} is described but does not exist";
        }
    }

    private static HelpExample Example(string title, string body)
    {
        Match code = CodePattern().Match(body);
        string remarks = code.Success ? body.Remove(code.Index, code.Length) : body;
        return new(title, code.Groups[1].Value.Trim(), Plain(remarks));
    }

    /// <summary>Markdown as plain text; paragraphs stay apart, lines within one are joined, code blocks stay as they are.</summary>
    private static string Plain(string markdown)
    {
        IEnumerable<string> parts = FencePattern().Split(markdown.Trim()).Select((part, index) => index % 2 == 1
            ? string.Join('\n', part.Trim('\n').Split('\n').Select(line => "    " + line))
            : string.Join("\n\n", part.Trim().Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(Paragraph)));
        return string.Join("\n\n", parts.Where(part => part.Trim().Length > 0));
    }

    private static string Paragraph(string text)
    {
        string joined = JoinPattern().Replace(text.Trim(), " ");
        return LinkPattern().Replace(joined, "$1").Replace("`", "", StringComparison.Ordinal).Replace("**", "", StringComparison.Ordinal);
    }

    private static List<(string Title, string Body)> Split(string text, Regex heading)
    {
        List<Match> headings = heading.Matches(text).ToList();
        var parts = new List<(string, string)>();
        for (int i = 0; i < headings.Count; i++)
        {
            int start = headings[i].Index + headings[i].Length;
            int end = i + 1 < headings.Count ? headings[i + 1].Index : text.Length;
            parts.Add((headings[i].Groups[1].Value.Trim(), text[start..end]));
        }

        return parts;
    }

    private string Section(string title) => _sections.GetValueOrDefault(title, "");

    [GeneratedRegex(@"\A---\n.*?\n---\n", RegexOptions.Singleline)]
    private static partial Regex FrontMatterPattern();

    [GeneratedRegex(@"^## +(.+)$", RegexOptions.Multiline)]
    private static partial Regex SectionPattern();

    [GeneratedRegex(@"^### +(.+)$", RegexOptions.Multiline)]
    private static partial Regex SubsectionPattern();

    [GeneratedRegex(@"^```(?:powershell)?\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex CodePattern();

    [GeneratedRegex(@"^```\w*$", RegexOptions.Multiline)]
    private static partial Regex FencePattern();

    [GeneratedRegex(@"\n(?![-*|] ?)")]
    private static partial Regex JoinPattern();

    [GeneratedRegex(@"\[([^\]]+)\]\([^)]*\)")]
    private static partial Regex LinkPattern();
}
