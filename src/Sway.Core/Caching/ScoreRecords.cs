using Sway.Scoring;

namespace Sway.Caching;

/// <summary>Scores as bytes: the doubles' own bits, so that a hit gives what was computed.</summary>
internal static class ScoreRecords
{
    private const byte ScoreMark = 1;
    private const byte NextTokenMark = 2;

    /// <summary>The bytes of a sequence's scores.</summary>
    public static byte[] Write(SequenceScore score)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(ScoreMark);
        writer.Write(score.Adapted is not null);
        writer.Write(score.Divergence is not null);
        Write(writer, score.Base);
        if (score.Adapted is { } adapted)
        {
            Write(writer, adapted);
        }

        if (score.Divergence is { } divergence)
        {
            Write(writer, divergence.AdaptedBase);
            Write(writer, divergence.BaseAdapted);
            Write(writer, divergence.JensenShannon);
        }

        return stream.ToArray();
    }

    /// <summary>The bytes of a distribution.</summary>
    public static byte[] Write(NextTokenDistribution distribution)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(NextTokenMark);
        writer.Write(distribution.Adapted is not null);
        writer.Write(distribution.VocabularySize);
        Write(writer, distribution.Base);
        if (distribution.Adapted is { } adapted)
        {
            Write(writer, adapted);
        }

        return stream.ToArray();
    }

    /// <summary>The scores of a record; null when it holds something else.</summary>
    public static SequenceScore? ReadScore(ReadOnlyMemory<byte> payload) => Read(payload, ScoreMark, reader =>
    {
        bool adapted = reader.ReadBoolean();
        bool divergence = reader.ReadBoolean();
        return new SequenceScore(
            View(reader),
            adapted ? View(reader) : null,
            divergence ? new DivergenceScore(Numbers(reader), Numbers(reader), Numbers(reader)) : null);
    });

    /// <summary>The distribution of a record; null when it holds something else.</summary>
    public static NextTokenDistribution? ReadNextToken(ReadOnlyMemory<byte> payload) => Read(payload, NextTokenMark, reader =>
    {
        bool adapted = reader.ReadBoolean();
        int vocabulary = reader.ReadInt32();
        return new NextTokenDistribution(TokenView(reader), adapted ? TokenView(reader) : null, vocabulary);
    });

    private static T? Read<T>(ReadOnlyMemory<byte> payload, byte mark, Func<BinaryReader, T> body)
        where T : class
    {
        try
        {
            using var reader = new BinaryReader(new MemoryStream(payload.ToArray(), writable: false));
            return reader.ReadByte() == mark && body(reader) is var value && reader.BaseStream.Position == reader.BaseStream.Length ? value : null;
        }
        catch (EndOfStreamException)
        {
            return null;
        }
    }

    private static void Write(BinaryWriter writer, ViewScore view)
    {
        Write(writer, view.LogProbs);
        Write(writer, view.Ranks);
    }

    private static void Write(BinaryWriter writer, NextTokenView view)
    {
        Write(writer, view.Ids);
        Write(writer, view.LogProbs);
        writer.Write(view.TailLogProb is not null);
        writer.Write(view.TailLogProb ?? 0.0);
    }

    private static void Write(BinaryWriter writer, double[] values)
    {
        writer.Write(values.Length);
        foreach (double value in values)
        {
            writer.Write(value);
        }
    }

    private static void Write(BinaryWriter writer, int[] values)
    {
        writer.Write(values.Length);
        foreach (int value in values)
        {
            writer.Write(value);
        }
    }

    private static ViewScore View(BinaryReader reader) => new(Numbers(reader), Ints(reader));

    private static NextTokenView TokenView(BinaryReader reader)
    {
        int[] ids = Ints(reader);
        double[] logProbs = Numbers(reader);
        bool tail = reader.ReadBoolean();
        double value = reader.ReadDouble();
        return new NextTokenView(ids, logProbs, tail ? value : null);
    }

    private static double[] Numbers(BinaryReader reader)
    {
        double[] values = new double[Count(reader, sizeof(double))];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = reader.ReadDouble();
        }

        return values;
    }

    private static int[] Ints(BinaryReader reader)
    {
        int[] values = new int[Count(reader, sizeof(int))];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = reader.ReadInt32();
        }

        return values;
    }

    private static int Count(BinaryReader reader, int size)
    {
        int count = reader.ReadInt32();
        return count >= 0 && count <= (reader.BaseStream.Length - reader.BaseStream.Position) / size ? count : throw new EndOfStreamException();
    }
}
