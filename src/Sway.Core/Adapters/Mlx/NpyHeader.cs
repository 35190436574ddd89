using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Sway.Tensors;

namespace Sway.Adapters.Mlx;

/// <summary>The header of one array in NumPy's .npy format, versions 1 to 3
/// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).</summary>
internal sealed partial record NpyHeader(DType DType, ImmutableArray<long> Shape, int Length)
{
    /// <summary>The bytes that hold magic, version and the length of the text.</summary>
    public const int PrefixLength = 12;

    private const int MaximumLength = 1 << 16;

    /// <summary>The length of the whole header, from its first bytes.</summary>
    public static int ReadLength(ReadOnlySpan<byte> prefix, string path, string name)
    {
        if (prefix.Length < PrefixLength || !StartsWithMagic(prefix))
        {
            throw Bad(path, name, "it does not begin as a NumPy array does");
        }

        int length = prefix[6] switch
        {
            1 => 10 + BinaryPrimitives.ReadUInt16LittleEndian(prefix[8..]),
            2 or 3 => BinaryPrimitives.ReadUInt32LittleEndian(prefix[8..]) is var size and <= MaximumLength ? 12 + (int)size : int.MaxValue,
            _ => throw Bad(path, name, $"version {prefix[6]} of the format is not known"),
        };
        return length <= MaximumLength ? length : throw Bad(path, name, "its header is longer than any array's");
    }

    /// <summary>Reads the header's text.</summary>
    public static NpyHeader Parse(ReadOnlySpan<byte> header, string path, string name)
    {
        string text = Encoding.Latin1.GetString(header[(header[6] == 1 ? 10 : 12)..]);
        Match type = DescriptionPattern().Match(text);
        Match order = OrderPattern().Match(text);
        Match shape = ShapePattern().Match(text);
        if (!type.Success || !order.Success || !shape.Success)
        {
            throw Bad(path, name, "its header has no readable descr, fortran_order and shape");
        }

        if (order.Groups["value"].Value == "True")
        {
            throw Bad(path, name, "it is stored in Fortran order, which mlx never writes");
        }

        DType dtype = type.Groups["value"].Value switch
        {
            "<f4" => DType.F32,
            "<f2" => DType.F16,
            "<f8" => DType.F64,
            "|V2" or "<V2" or "bfloat16" => DType.BF16,
            var other => throw Bad(path, name, $"elements of type {other} are not read"),
        };
        string[] sizes = shape.Groups["value"].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var dimensions = ImmutableArray.CreateBuilder<long>(sizes.Length);
        foreach (string size in sizes)
        {
            dimensions.Add(long.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out long value)
                ? value
                : throw Bad(path, name, $"the shape ({shape.Groups["value"].Value}) is not readable"));
        }

        return new NpyHeader(dtype, dimensions.MoveToImmutable(), header.Length);
    }

    internal static AdapterFormatException Bad(string path, string name, string what) =>
        new($"{path}: array {name} cannot be read: {what}.") { Path = path, Tensors = [name] };

    private static bool StartsWithMagic(ReadOnlySpan<byte> prefix) => prefix[0] == 0x93 && prefix[1..6].SequenceEqual("NUMPY"u8);

    [GeneratedRegex(@"'descr'\s*:\s*'(?<value>[^']*)'", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex DescriptionPattern();

    [GeneratedRegex(@"'fortran_order'\s*:\s*(?<value>True|False)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex OrderPattern();

    [GeneratedRegex(@"'shape'\s*:\s*\((?<value>[^)]*)\)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex ShapePattern();
}
