namespace Sway.IO;

/// <summary>How far a read or write has come.</summary>
/// <param name="Done">Bytes done.</param>
/// <param name="Total">Bytes in all.</param>
public readonly record struct ByteProgress(long Done, long Total);
