using System.Text;

namespace Sway.Tensors.Torch;

/// <summary>The bytes of a pickle, taken in order; every length is checked before it is used.</summary>
internal sealed class PickleBytes(byte[] bytes, int start, int end, string path)
{
    /// <summary>The longest text or byte string that a file of torch needs.</summary>
    public const int MaximumText = 1 << 20;

    private static readonly UTF8Encoding s_utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly int _end = end;

    /// <summary>The position after what was taken.</summary>
    public int Position { get; private set; } = start;

    /// <summary>True when taking failed because the bytes ended.</summary>
    public bool RanOut { get; private set; }

    /// <summary>The next bytes.</summary>
    public ReadOnlySpan<byte> Take(int count)
    {
        if (count > _end - Position)
        {
            RanOut = true;
            throw Damaged("ends too early");
        }

        Position += count;
        return bytes.AsSpan(Position - count, count);
    }

    /// <summary>The next bytes as UTF-8.</summary>
    public string Text(ulong length)
    {
        if (length > MaximumText)
        {
            throw Damaged("holds an oversized text");
        }

        try
        {
            return s_utf8.GetString(Take((int)length));
        }
        catch (DecoderFallbackException)
        {
            throw Damaged("holds a text that is not UTF-8");
        }
    }

    /// <summary>Text up to the end of a line.</summary>
    public string Line()
    {
        int length = bytes.AsSpan(Position, Math.Min(_end - Position, 512)).IndexOf((byte)'\n');
        if (length < 0)
        {
            RanOut = _end - Position < 512;
            throw Damaged("names a global without an end");
        }

        string line = Text((ulong)length);
        Position++;
        return line;
    }

    /// <summary>An error about these bytes.</summary>
    public AdapterFormatException Damaged(string what) => new($"{path}: its pickle {what} (at byte {Position} of it).") { Path = path };
}
