using System.Text.Json;
using Sway.Unit.Support;

namespace Sway.Unit.Conversion;

/// <summary>One case of the copied galleries: an adapter, what must become of it, and the exact deltas.</summary>
public sealed class GalleryCase
{
    private GalleryCase(string folder)
    {
        Folder = folder;
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expected.json")));
        Expected = document.RootElement.Clone();
    }

    public string Folder { get; }

    public JsonElement Expected { get; }

    public string Source => Path.GetFullPath(Path.Combine(Folder, Text("input") ?? "."));

    public bool MustConvert => Text("verdict") == "convert";

    public bool NeedsBase => Expected.TryGetProperty("needs", out JsonElement needs) && needs.EnumerateArray().Any(item => item.GetString() == "base");

    public bool MayAlsoRefuse => Text("also_acceptable")?.StartsWith("refuse", StringComparison.Ordinal) == true;

    public bool MayAlsoConvert => Text("also_acceptable")?.StartsWith("convert", StringComparison.Ordinal) == true;

    public string? AdapterName => Text("choose_adapter");

    public string Base
    {
        get
        {
            string name = Text("model") ?? RecordedBase();
            for (DirectoryInfo? at = new(Folder); at is not null; at = at.Parent)
            {
                string candidate = Path.Combine(at.FullName, "models", name);
                if (Directory.Exists(candidate))
                {
                    return candidate;
                }
            }

            throw new DirectoryNotFoundException(name);
        }
    }

    public static TheoryData<string> Names(params string[] parts)
    {
        string root = Repository.Fixture(parts);
        var names = new TheoryData<string>();
        foreach (string folder in Directory.GetDirectories(root).Order(StringComparer.Ordinal).Where(f => File.Exists(Path.Combine(f, "expected.json"))))
        {
            names.Add(Path.GetRelativePath(Repository.Fixture(), folder).Replace('\\', '/'));
        }

        return names;
    }

    public static GalleryCase Open(string name) => new(Repository.Fixture(name.Split('/')));

    private string? Text(string name) => Expected.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private string RecordedBase()
    {
        using JsonDocument config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Source, "adapter_config.json")));
        return Path.GetFileName(config.RootElement.GetProperty("base_model_name_or_path").GetString()!);
    }
}
