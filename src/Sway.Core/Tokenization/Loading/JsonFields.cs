using System.Text.Json;

namespace Sway.Tokenization.Loading;

/// <summary>Typed access to the fields of a component; a wrong or missing field is a refusal, as in the library.</summary>
internal static class JsonFields
{
    public static bool IsNull(JsonElement? element) =>
        element is not { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) };

    public static JsonElement Require(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value)
            ? value
            : throw new TokenizationException($"The field '{name}' is missing.");

    public static string RequireString(this JsonElement element, string name)
    {
        var value = element.Require(name);
        return value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Wrong(name, "a string");
    }

    public static bool RequireBool(this JsonElement element, string name)
    {
        var value = element.Require(name);
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Wrong(name, "true or false");
    }

    public static int RequireInt(this JsonElement element, string name) => ToInt(element.Require(name), name);

    public static bool? OptionalBool(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? element.RequireBool(name)
            : null;

    public static string? OptionalString(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? element.RequireString(name)
            : null;

    public static int ToInt(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= 0
            ? number
            : throw Wrong(name, "a whole number that is not negative");

    public static int ToCodePoint(JsonElement element, string name)
    {
        var text = element.RequireString(name);
        var runes = text.EnumerateRunes().ToArray();
        return runes.Length == 1 ? runes[0].Value : throw Wrong(name, "one character");
    }

    public static IEnumerable<JsonElement> Items(this JsonElement element, string name)
    {
        var value = element.Require(name);
        return value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : throw Wrong(name, "a list");
    }

    public static TokenizationException Wrong(string name, string expected) => new($"The field '{name}' is not {expected}.");

    public static JsonElement Parse(string json) => JsonDocument.Parse(json).RootElement;
}
