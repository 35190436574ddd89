using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Sway.Inference;

namespace Sway.Scoring;

/// <summary>One item as the recorder sees it.</summary>
/// <param name="Prompt">The tokens before the first scored one.</param>
/// <param name="Tokens">All tokens that the item gives to the model.</param>
/// <param name="Cached">True or false as the cache had it or not; null when nobody asked.</param>
internal readonly record struct RecordedItem(ReadOnlyMemory<int> Prompt, int Tokens, bool? Cached);

/// <summary>
/// Counts what a session does and writes one JSON line for each item to the trace, flushed at once. Used under the session's lock.
/// </summary>
internal sealed class ScoringRecorder : IDisposable
{
    private readonly Stream? _trace;
    private readonly string _session = Guid.NewGuid().ToString("N", CultureInfo.InvariantCulture)[..8];
    private long _items;
    private long _hits;
    private long _misses;
    private long _passes;
    private long _tokens;
    private long _batches;
    private long _ticks;

    /// <param name="tracePath">The file that lines are added to, or null for none.</param>
    public ScoringRecorder(string? tracePath)
    {
        // Appended, so that several sessions may share a file; each line is one write.
        _trace = tracePath is null
            ? null
            : new FileStream(tracePath, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
    }

    /// <summary>The counts so far; safe to ask from any thread.</summary>
    public ScoringStatistics Statistics => new(
        Interlocked.Read(ref _items), Interlocked.Read(ref _hits), Interlocked.Read(ref _misses), Interlocked.Read(ref _passes),
        Interlocked.Read(ref _tokens), Interlocked.Read(ref _batches), TimeSpan.FromTicks(Interlocked.Read(ref _ticks)));

    /// <summary>Counts a pass through the model.</summary>
    public void Pass(int tokens)
    {
        Interlocked.Increment(ref _passes);
        Interlocked.Add(ref _tokens, tokens);
    }

    /// <summary>Records a batch of items that were answered together.</summary>
    /// <param name="operation">score, divergence, next-token or generate.</param>
    /// <param name="views">The views that were asked for.</param>
    /// <param name="backend">The engine's name.</param>
    /// <param name="items">The items.</param>
    /// <param name="started">When the batch began, by <see cref="Stopwatch"/>.</param>
    public void Batch(string operation, IReadOnlyList<DecoderView> views, string backend, IReadOnlyList<RecordedItem> items, long started)
    {
        TimeSpan elapsed = Stopwatch.GetElapsedTime(started);
        Interlocked.Add(ref _items, items.Count);
        Interlocked.Add(ref _hits, items.Count(item => item.Cached == true));
        Interlocked.Add(ref _misses, items.Count(item => item.Cached == false));
        Interlocked.Increment(ref _batches);
        Interlocked.Add(ref _ticks, elapsed.Ticks);
        if (_trace is null)
        {
            return;
        }

        // Items of a batch share its time by their tokens; what the cache gave took next to none of it.
        long computed = items.Sum(item => item.Cached == true ? 0L : item.Tokens);
        foreach (RecordedItem item in items)
        {
            double share = computed == 0 ? 1.0 / items.Count : item.Cached == true ? 0.0 : (double)item.Tokens / computed;
            double milliseconds = elapsed.TotalMilliseconds * share;
            Line(writer =>
            {
                writer.WriteString("event", "item");
                writer.WriteString("operation", operation);
                writer.WriteStartArray("views");
                foreach (DecoderView view in views)
                {
                    writer.WriteStringValue(view.Name);
                }

                writer.WriteEndArray();
                writer.WriteString("promptHash", Hash(item.Prompt));
                writer.WriteNumber("promptTokens", item.Prompt.Length);
                writer.WriteNumber("tokens", item.Tokens);
                if (item.Cached is { } hit)
                {
                    writer.WriteBoolean("cacheHit", hit);
                }

                writer.WriteNumber("batchSize", items.Count);
                writer.WriteNumber("wallMs", Math.Round(milliseconds, 3));
                if (item.Cached != true && milliseconds > 0.0)
                {
                    writer.WriteNumber("tokensPerSecond", Math.Round(item.Tokens / milliseconds * 1000.0, 1));
                }

                writer.WriteString("backend", backend);
            });
        }
    }

    /// <summary>Writes the counts as the last line and closes the trace.</summary>
    public void Dispose()
    {
        if (_trace is null)
        {
            return;
        }

        ScoringStatistics all = Statistics;
        Line(writer =>
        {
            writer.WriteString("event", "summary");
            writer.WriteNumber("items", all.Items);
            writer.WriteNumber("cacheHits", all.CacheHits);
            writer.WriteNumber("cacheMisses", all.CacheMisses);
            writer.WriteNumber("forwardPasses", all.ForwardPasses);
            writer.WriteNumber("tokens", all.Tokens);
            writer.WriteNumber("batches", all.Batches);
            writer.WriteNumber("wallMs", Math.Round(all.WallTime.TotalMilliseconds, 3));
            writer.WriteNumber("tokensPerSecond", Math.Round(all.TokensPerSecond, 1));
        });
        _trace.Dispose();
    }

    private static string Hash(ReadOnlyMemory<int> tokens) =>
        Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(tokens.Span)), 0, 8);

    private void Line(Action<Utf8JsonWriter> body)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("time", DateTime.UtcNow.ToString("O", CultureInfo.InvariantCulture));
            writer.WriteString("session", _session);
            body(writer);
            writer.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        _trace!.Write(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
    }
}
