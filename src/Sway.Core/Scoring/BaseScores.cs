using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Sway.Scoring;

/// <summary>
/// Scores of the base view that a session computed last. With another adapter on the same items only the adapted view is computed; a
/// view's bits do not depend on what else is in the batch.
/// </summary>
internal sealed class BaseScores
{
    private const int CapacityTokens = 1 << 18;

    private readonly Dictionary<string, ViewScore> _scores = new(StringComparer.Ordinal);
    private readonly Queue<string> _order = new();
    private int _tokens;

    /// <summary>The scores of a sequence under the base, or null.</summary>
    public ViewScore? Find(TokenSequence sequence) => _scores.GetValueOrDefault(NameOf(sequence));

    /// <summary>Keeps scores; the oldest are forgotten when there are too many.</summary>
    public void Keep(TokenSequence sequence, ViewScore score)
    {
        var name = NameOf(sequence);
        if (!_scores.TryAdd(name, score))
        {
            return;
        }

        _order.Enqueue(name);
        _tokens += score.LogProbs.Length;
        while (_tokens > CapacityTokens)
        {
            _scores.Remove(_order.Dequeue(), out var oldest);
            _tokens -= oldest!.LogProbs.Length;
        }
    }

    private static string NameOf(TokenSequence sequence)
    {
        int[] ids = [sequence.FirstScored, .. sequence.Ids];
        return Convert.ToBase64String(SHA256.HashData(MemoryMarshal.AsBytes(ids.AsSpan())));
    }
}
