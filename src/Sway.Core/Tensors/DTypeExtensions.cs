namespace Sway.Tensors;

/// <summary>Sizes and safetensors names of <see cref="DType"/>.</summary>
public static class DTypeExtensions
{
    /// <summary>The type's name in a safetensors header, for example <c>BF16</c> or <c>F8_E4M3</c>.</summary>
    public static string SafetensorsName(this DType dtype) => dtype switch
    {
        DType.Bool => "BOOL",
        DType.U8 => "U8",
        DType.I8 => "I8",
        DType.I16 => "I16",
        DType.U16 => "U16",
        DType.I32 => "I32",
        DType.U32 => "U32",
        DType.I64 => "I64",
        DType.U64 => "U64",
        DType.F16 => "F16",
        DType.BF16 => "BF16",
        DType.F32 => "F32",
        DType.F64 => "F64",
        DType.C64 => "C64",
        DType.F4 => "F4",
        DType.F6E2M3 => "F6_E2M3",
        DType.F6E3M2 => "F6_E3M2",
        DType.F8E5M2 => "F8_E5M2",
        DType.F8E4M3 => "F8_E4M3",
        DType.F8E8M0 => "F8_E8M0",
        DType.F8E4M3Fnuz => "F8_E4M3FNUZ",
        DType.F8E5M2Fnuz => "F8_E5M2FNUZ",
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "Not a tensor type."),
    };

    /// <summary>The size of one element in bits; F4 and F6 elements are not whole bytes.</summary>
    public static int BitSize(this DType dtype) => dtype switch
    {
        DType.F4 => 4,
        DType.F6E2M3 or DType.F6E3M2 => 6,
        DType.Bool or DType.U8 or DType.I8 => 8,
        DType.F8E5M2 or DType.F8E4M3 or DType.F8E8M0 or DType.F8E4M3Fnuz or DType.F8E5M2Fnuz => 8,
        DType.I16 or DType.U16 or DType.F16 or DType.BF16 => 16,
        DType.I32 or DType.U32 or DType.F32 => 32,
        _ => 64,
    };

    /// <summary>The size of one element in bytes.</summary>
    /// <exception cref="NotSupportedException">The type is smaller than a byte.</exception>
    public static int ByteSize(this DType dtype) => dtype.BitSize() is var bits && bits % 8 == 0
        ? bits / 8
        : throw new NotSupportedException($"{dtype.SafetensorsName()} elements are not whole bytes.");

    /// <summary>True for the types that Sway reads as real numbers.</summary>
    public static bool IsReadableFloat(this DType dtype) =>
        dtype is DType.F16 or DType.BF16 or DType.F32 or DType.F64 or DType.F8E4M3 or DType.F8E5M2;

    /// <summary>Finds a type by its safetensors name (case-sensitive, as the format demands).</summary>
    public static bool TryParseSafetensors(string name, out DType dtype)
    {
        DType? found = name switch
        {
            "BOOL" => DType.Bool,
            "U8" => DType.U8,
            "I8" => DType.I8,
            "I16" => DType.I16,
            "U16" => DType.U16,
            "I32" => DType.I32,
            "U32" => DType.U32,
            "I64" => DType.I64,
            "U64" => DType.U64,
            "F16" => DType.F16,
            "BF16" => DType.BF16,
            "F32" => DType.F32,
            "F64" => DType.F64,
            "C64" => DType.C64,
            "F4" => DType.F4,
            "F6_E2M3" => DType.F6E2M3,
            "F6_E3M2" => DType.F6E3M2,
            "F8_E5M2" => DType.F8E5M2,
            "F8_E4M3" => DType.F8E4M3,
            "F8_E8M0" => DType.F8E8M0,
            "F8_E4M3FNUZ" => DType.F8E4M3Fnuz,
            "F8_E5M2FNUZ" => DType.F8E5M2Fnuz,
            _ => null,
        };
        dtype = found.GetValueOrDefault();
        return found is not null;
    }
}
