namespace Sway.Inference.Cpu;

/// <summary>Memory that will be read soon; none where the address is null.</summary>
/// <param name="address">The first byte.</param>
/// <param name="length">Number of bytes.</param>
internal readonly unsafe struct WantedBytes(byte* address, nint length)
{
    /// <summary>The first byte.</summary>
    public byte* Address { get; } = address;

    /// <summary>Number of bytes.</summary>
    public nint Length { get; } = length;

    /// <summary>Bytes for each of so many steps.</summary>
    public nint Step(int steps) => (Length + steps - 1) / steps;
}
