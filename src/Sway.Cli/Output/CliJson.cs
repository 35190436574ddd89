using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Sway.Adapters;
using Sway.Conversion;

namespace Sway.Cli.Output;

/// <summary>
/// The types that are written as JSON lines, one attribute each. Generated code starts several times faster than reflection.
/// </summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ErrorLine))]
[JsonSerializable(typeof(LoraAdapterInfo))]
[JsonSerializable(typeof(AdapterConversionResult))]
[JsonSerializable(typeof(Adapters.Mlx.Repair.AdapterRepairResult))]
[JsonSerializable(typeof(Merging.AdapterMergeResult))]
[JsonSerializable(typeof(Merging.LoraAdapterComparison))]
[JsonSerializable(typeof(Caching.SwayCacheEntry))]
[JsonSerializable(typeof(TensorFate))]
[JsonSerializable(typeof(Validation.LoraAdapterTestResult))]
[JsonSerializable(typeof(Diagnostics.DoctorFinding))]
[JsonSerializable(typeof(TokenLine))]
[JsonSerializable(typeof(TextLine))]
internal sealed partial class CliJson : JsonSerializerContext
{
    static CliJson()
    {
        // Texts stay readable: these lines are never embedded in HTML.
        Default = new CliJson(new JsonSerializerOptions(s_defaultOptions) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    }
}
