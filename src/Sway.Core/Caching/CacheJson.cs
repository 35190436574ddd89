using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sway.Caching;

/// <summary>The types that the cache writes as JSON; generated code starts faster than reflection.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ConversionManifest))]
[JsonSerializable(typeof(ScoreOrigin))]
[JsonSerializable(typeof(string))]
internal sealed partial class CacheJson : JsonSerializerContext
{
    static CacheJson()
    {
        Default = new CacheJson(new JsonSerializerOptions(s_defaultOptions) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    }
}
