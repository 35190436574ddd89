using System.Text.Json;

namespace Sway.Cli;

/// <summary>Items of a JSON Lines file.</summary>
internal static class InputLines
{
    /// <summary>Every object of the file with its <c>id</c>, or with its line number where it has none.</summary>
    /// <exception cref="UsageException">A line is not a JSON object.</exception>
    internal static IEnumerable<(string Id, JsonElement Item)> Read(string path)
    {
        int number = 0;
        foreach (string line in File.ReadLines(ExistingPath.Of(path)))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            JsonElement item = Parse(line, path, number);
            yield return (item.TryGetProperty("id", out JsonElement id) ? id.ToString() : $"{number}", item);
        }
    }

    private static JsonElement Parse(string line, string path, int number)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document.RootElement.Clone()
                : throw new UsageException($"{path}, line {number}: not a JSON object.");
        }
        catch (JsonException exception)
        {
            throw new UsageException($"{path}, line {number}: not JSON ({exception.Message})");
        }
    }
}
