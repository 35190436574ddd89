namespace Sway.Conversion;

/// <summary>The converter's own version: part of every cache key and of the provenance. It grows whenever the same input
/// would give other bytes.</summary>
public static class Converter
{
    /// <summary>The number.</summary>
    public const int Version = 1;
}
