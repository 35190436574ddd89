using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sway.Inference.Cpu;

/// <summary>How values lie in a 32-bit word, lowest bits first.</summary>
internal interface IWordFormat
{
    /// <summary>Values in a word; the next one is reached by a shift of <see cref="Bits"/>.</summary>
    static abstract int Values { get; }

    /// <summary>Bits of a value.</summary>
    static abstract int Bits { get; }

    /// <summary>The lowest value of each word, exactly.</summary>
    static abstract Vector512<float> First(Vector512<uint> words);

    /// <summary>The words with their next value lowest.</summary>
    static abstract Vector512<uint> Next(Vector512<uint> words);

    /// <summary>The lowest value of each word, exactly.</summary>
    static abstract Vector256<float> First(Vector256<uint> words);

    /// <summary>The words with their next value lowest.</summary>
    static abstract Vector256<uint> Next(Vector256<uint> words);

    /// <summary>The lowest value of each word, exactly.</summary>
    static abstract Vector128<float> First(Vector128<uint> words);

    /// <summary>The words with their next value lowest.</summary>
    static abstract Vector128<uint> Next(Vector128<uint> words);
}

/// <summary>One float.</summary>
internal readonly struct SingleWords : IWordFormat
{
    public static int Values => 1;

    public static int Bits => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> First(Vector512<uint> words) => words.AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> First(Vector256<uint> words) => words.AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> First(Vector128<uint> words) => words.AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Next(Vector512<uint> words) => words;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Next(Vector256<uint> words) => words;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> Next(Vector128<uint> words) => words;
}

/// <summary>Two bfloat16.</summary>
internal readonly struct BFloat16Words : IWordFormat
{
    public static int Values => 2;

    public static int Bits => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> First(Vector512<uint> words) =>
        (words << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> First(Vector256<uint> words) =>
        (words << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> First(Vector128<uint> words) =>
        (words << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Next(Vector512<uint> words) => words >> 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Next(Vector256<uint> words) => words >> 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> Next(Vector128<uint> words) => words >> 16;
}

/// <summary>Two IEEE halves.</summary>
/// <remarks>
/// Exponent and fraction, moved to their places, times 2^112 are the number, subnormal ones too; with all exponent bits set it is
/// infinite or no number, and they are set in the result.
/// </remarks>
internal readonly struct HalfWords : IWordFormat
{
    public static int Values => 2;

    public static int Bits => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> First(Vector512<uint> words)
    {
        var half = words & Vector512.Create(0xFFFFu);
        var rest = (half & Vector512.Create(0x7FFFu)) << 13;
        var value = (rest.AsSingle() * Vector512.Create(5.192296858534828e33f)).AsUInt32();
        var special = Vector512.GreaterThanOrEqual(rest, Vector512.Create(0x0F800000u)) & Vector512.Create(0x7F800000u);
        return (value | special | ((half & Vector512.Create(0x8000u)) << 16)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> First(Vector256<uint> words)
    {
        var half = words & Vector256.Create(0xFFFFu);
        var rest = (half & Vector256.Create(0x7FFFu)) << 13;
        var value = (rest.AsSingle() * Vector256.Create(5.192296858534828e33f)).AsUInt32();
        var special = Vector256.GreaterThanOrEqual(rest, Vector256.Create(0x0F800000u)) & Vector256.Create(0x7F800000u);
        return (value | special | ((half & Vector256.Create(0x8000u)) << 16)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> First(Vector128<uint> words)
    {
        var half = words & Vector128.Create(0xFFFFu);
        var rest = (half & Vector128.Create(0x7FFFu)) << 13;
        var value = (rest.AsSingle() * Vector128.Create(5.192296858534828e33f)).AsUInt32();
        var special = Vector128.GreaterThanOrEqual(rest, Vector128.Create(0x0F800000u)) & Vector128.Create(0x7F800000u);
        return (value | special | ((half & Vector128.Create(0x8000u)) << 16)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Next(Vector512<uint> words) => words >> 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Next(Vector256<uint> words) => words >> 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> Next(Vector128<uint> words) => words >> 16;
}

/// <summary>Eight unsigned values of four bits.</summary>
internal readonly struct FourBitWords : IWordFormat
{
    public static int Values => 8;

    public static int Bits => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> First(Vector512<uint> words) =>
        Vector512.ConvertToSingle((words & Vector512.Create(15u)).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> First(Vector256<uint> words) =>
        Vector256.ConvertToSingle((words & Vector256.Create(15u)).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> First(Vector128<uint> words) =>
        Vector128.ConvertToSingle((words & Vector128.Create(15u)).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Next(Vector512<uint> words) => words >> 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Next(Vector256<uint> words) => words >> 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> Next(Vector128<uint> words) => words >> 4;
}

/// <summary>Four unsigned values of eight bits.</summary>
internal readonly struct EightBitWords : IWordFormat
{
    public static int Values => 4;

    public static int Bits => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> First(Vector512<uint> words) =>
        Vector512.ConvertToSingle((words & Vector512.Create(255u)).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> First(Vector256<uint> words) =>
        Vector256.ConvertToSingle((words & Vector256.Create(255u)).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> First(Vector128<uint> words) =>
        Vector128.ConvertToSingle((words & Vector128.Create(255u)).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Next(Vector512<uint> words) => words >> 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Next(Vector256<uint> words) => words >> 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> Next(Vector128<uint> words) => words >> 8;
}
