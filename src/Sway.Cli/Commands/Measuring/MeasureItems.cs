using System.Text.Json.Nodes;
using Sway.IO;

namespace Sway.Cli.Commands.Measuring;

/// <summary>What is measured: options, or the lines of a file, but never some of both.</summary>
internal static class MeasureItems
{
    /// <summary>A prompt with its completion, or such lines.</summary>
    /// <exception cref="UsageException">Too little or too much is given.</exception>
    internal static List<InputItem> Completions(string? input, string? prompt, string? completion)
    {
        Exclude(input, "--input", (prompt, "--prompt"), (completion, "--completion"));
        if (input is not null)
        {
            return [.. InputLines.Read(input, "\"prompt\" and \"completion\", or \"promptIds\" and \"completionIds\"")];
        }

        return prompt is not null && completion is not null
            ? [InputItem.Of(new JsonObject { ["prompt"] = prompt, ["completion"] = completion })]
            : throw new UsageException("give --input, or --prompt and --completion");
    }

    /// <summary>A prompt, or such lines.</summary>
    /// <inheritdoc cref="Completions"/>
    internal static List<InputItem> Prompts(string? input, string? prompt)
    {
        Exclude(input, "--input", (prompt, "--prompt"));
        if (input is not null)
        {
            return [.. InputLines.Read(input, "\"prompt\" or \"promptIds\"")];
        }

        return prompt is not null ? [InputItem.Of(new JsonObject { ["prompt"] = prompt })] : throw new UsageException("give --prompt or --input");
    }

    /// <summary>The text of a file, or lines with texts.</summary>
    /// <inheritdoc cref="Completions"/>
    internal static List<InputItem> Texts(string? textFile, string? input, string form = "\"text\" or \"ids\"")
    {
        Exclude(input, "--input", (textFile, "--text-file"));
        if (input is not null)
        {
            return [.. InputLines.Read(input, form)];
        }

        return textFile is not null
            ? [InputItem.Of(new JsonObject { ["text"] = TextFile.Read(ExistingPath.Of(textFile)) }, Path.GetFileNameWithoutExtension(textFile))]
            : throw new UsageException("give --text-file or --input");
    }

    /// <summary>Refuses options beside one that says all.</summary>
    internal static void Exclude(string? given, string name, params (string? Value, string Name)[] others)
    {
        foreach ((string? value, string other) in others)
        {
            if (given is not null && value is not null)
            {
                throw new UsageException($"{name} and {other} exclude each other");
            }
        }
    }
}
