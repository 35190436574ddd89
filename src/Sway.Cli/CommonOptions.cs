using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text;

namespace Sway.Cli;

/// <summary>Options and arguments that several commands share, so that each means the same everywhere.</summary>
internal static class CommonOptions
{
    /// <summary>One JSON object per line in place of a table.</summary>
    internal static Option<bool> Json { get; } = new("--json")
    {
        Description = "One JSON object per line, for programs; messages stay on stderr.",
    };

    /// <summary>One or more adapters.</summary>
    internal static Argument<string[]> AdapterPaths() => RefuseOptions(new Argument<string[]>("PATH")
    {
        Description = "Adapter folders, or weights files in them.",
        Arity = ArgumentArity.OneOrMore,
    });

    /// <summary>Without this, a mistyped option would be taken for a path.</summary>
    internal static Argument<T> RefuseOptions<T>(Argument<T> argument)
    {
        argument.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens.Where(token => token.Value.StartsWith('-')))
            {
                result.AddError($"unknown option {token.Value} (a path that begins so is written ./{token.Value})");
            }
        });
        return argument;
    }

    /// <summary>The base model's folder.</summary>
    internal static Option<string?> Base() => new("--base")
    {
        Description = "The base model's folder (its config.json). Without it: the place that the adapter names, then the Hugging Face cache.",
        HelpName = "DIR",
    };

    /// <summary>No search for the base model.</summary>
    internal static Option<bool> NoBase() => new("--no-base")
    {
        Description = "Do not search for the base model.",
    };

    /// <summary>An option that takes a whole number from <paramref name="least"/> on.</summary>
    internal static Option<int> Count(string name, string description, string helpName, int standard = 0, int least = 0)
    {
        var option = new Option<int>(name) { Description = description, HelpName = helpName, DefaultValueFactory = _ => standard };
        option.Validators.Add(result =>
        {
            if (int.TryParse(result.Tokens is [var token, ..] ? token.Value : null, CultureInfo.InvariantCulture, out int value) && value < least)
            {
                result.AddError($"{name}: {value} is less than {least}");
            }
        });
        return option;
    }

    /// <summary>An option that takes a number within bounds.</summary>
    internal static Option<double> Number(
        string name, string description, string helpName, double standard, Predicate<double> allowed, string bounds)
    {
        var option = new Option<double>(name) { Description = description, HelpName = helpName, DefaultValueFactory = _ => standard };
        option.Validators.Add(result =>
        {
            if (double.TryParse(result.Tokens is [var token, ..] ? token.Value : null, CultureInfo.InvariantCulture, out double value) && !allowed(value))
            {
                result.AddError($"{name}: give {bounds}");
            }
        });
        return option;
    }

    /// <summary>An option that takes one value of an enum, written as <c>kebab-case</c>.</summary>
    internal static Option<T> OneOf<T>(string name, string description, T? standard = null, bool required = false)
        where T : struct, Enum
    {
        T[] values = Enum.GetValues<T>();
        var option = new Option<T>(name)
        {
            Description = description,
            HelpName = string.Join('|', values.Select(value => Kebab(value.ToString()))),
            Required = required,
            CustomParser = result => ParseOne<T>(result, result.Tokens[0].Value),
        };
        if (standard is { } value)
        {
            option.DefaultValueFactory = _ => value;
        }

        return option;
    }

    /// <summary>An option that takes several values of an enum, separated by commas.</summary>
    internal static Option<T[]> SomeOf<T>(string name, string description, string helpName)
        where T : struct, Enum => new(name)
    {
        Description = description,
        HelpName = helpName,
        DefaultValueFactory = _ => [],
        CustomParser = result =>
        [
            .. result.Tokens
                .SelectMany(token => token.Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
                .Select(text => ParseOne<T>(result, text)),
        ],
    };

    /// <summary><c>ModulesToSave</c> as <c>modules-to-save</c>.</summary>
    internal static string Kebab(string name)
    {
        var text = new StringBuilder();
        for (int i = 0; i < name.Length; i++)
        {
            if (i > 0 && char.IsUpper(name[i]) && !char.IsUpper(name[i - 1]))
            {
                text.Append('-');
            }

            text.Append(char.ToLowerInvariant(name[i]));
        }

        return text.ToString();
    }

    private static T ParseOne<T>(ArgumentResult result, string text)
        where T : struct, Enum
    {
        string plain = text.Replace("-", "", StringComparison.Ordinal);
        if (!char.IsAsciiDigit(plain.FirstOrDefault()) && Enum.TryParse(plain, ignoreCase: true, out T value) && Enum.IsDefined(value))
        {
            return value;
        }

        string known = string.Join(", ", Enum.GetNames<T>().Select(Kebab));
        result.AddError($"'{text}' is none of: {known}");
        return default;
    }
}
