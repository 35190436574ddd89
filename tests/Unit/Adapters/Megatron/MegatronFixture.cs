using System.Text.Json;
using Sway.Adapters;
using Sway.Adapters.Megatron;
using Sway.Unit.Support;

namespace Sway.Unit.Adapters.Megatron;

/// <summary>One checkpoint of the fixtures with its known answers.</summary>
internal sealed class MegatronFixture
{
    private readonly string _folder;
    private readonly JsonElement _case;

    public MegatronFixture(string name)
    {
        _folder = Repository.Fixture(["megatron", .. name.Split('/')]);
        _case = Load(_folder);
        TruthFolder = _case.TryGetProperty("made_from", out JsonElement from) ? Repository.Fixture("megatron", from.GetString()!) : _folder;
        Truth = Load(TruthFolder);
    }

    public static IEnumerable<string> Cases { get; } =
        [.. Directory.GetDirectories(Repository.Fixture("megatron")).Where(HasAnswers).Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal)];

    public static IEnumerable<string> Corrupt => Named("corrupt");

    public static IEnumerable<string> Variants => Named("variants");

    public string TruthFolder { get; }

    public JsonElement Truth { get; }

    public bool MustFail => _case.TryGetProperty("must_fail", out JsonElement fail) && fail.GetBoolean();

    public string Checkpoint => Path.Combine([_folder, .. _case.GetProperty("checkpoint").GetString()!.Split('/')]);

    public string Base => Path.GetFullPath(Path.Combine(TruthFolder, Truth.GetProperty("base").GetString()!));

    public double Alpha => Truth.GetProperty("alpha").GetDouble();

    public LoraAdapter Open(double? alpha = null) =>
        MegatronAdapterReader.Open(Checkpoint, new AdapterOpenOptions { BaseModel = Base, Alpha = alpha });

    private static IEnumerable<string> Named(string kind) =>
        Directory.GetDirectories(Repository.Fixture("megatron", kind)).Select(folder => $"{kind}/{Path.GetFileName(folder)}").Order(StringComparer.Ordinal);

    private static bool HasAnswers(string folder) => File.Exists(Path.Combine(folder, "expected.json"));

    private static JsonElement Load(string folder)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expected.json")));
        return json.RootElement.Clone();
    }
}
