using Sway.Adapters;
using Sway.Tensors;

namespace Sway.Conversion;

/// <summary>Remembers the tensors that hold a NaN or an infinity while they are written.</summary>
internal sealed class FiniteGuard
{
    private const long PieceBytes = 4 << 20;

    private readonly RefusalList _refusals = new();

    /// <summary>Refuses an adapter before anything is made of it.</summary>
    /// <exception cref="ConversionRefusedException">A stored number is not finite.</exception>
    public static void Require(LoraAdapter adapter, CancellationToken cancellationToken)
    {
        if (FindNotFinite(adapter, cancellationToken) is { Count: > 0 } tensors)
        {
            throw new ConversionRefusedException(adapter.Path, [new Refusal(RefusalCategory.NonFinite, "Tensors hold NaN or infinity.") { Modules = tensors }]);
        }
    }

    /// <summary>The tensors of an adapter's files that hold a NaN or an infinity; reads all of them, in pieces.</summary>
    public static IReadOnlyList<string> FindNotFinite(LoraAdapter adapter, CancellationToken cancellationToken) => [.. adapter.Files
        .SelectMany(file => file.Tensors.Where(tensor => tensor.DType.IsReadableFloat())
            .Where(tensor => !All(file.Get(tensor), FiniteCheck.IsFinite, cancellationToken)))
        .Select(tensor => tensor.Name)];

    /// <summary>True when a test holds for every piece of a tensor; stops at the first piece where it does not.</summary>
    public static bool All(TensorExpression value, Func<DType, byte[], bool> test, CancellationToken cancellationToken)
    {
        if (value.ElementCount == 0)
        {
            return true;
        }

        long rows = value.Rank == 0 ? 1 : value.Shape[0];
        long step = Math.Max(1, PieceBytes / Math.Max(1, value.ByteLength / rows));
        for (long row = 0; row < rows; row += step)
        {
            cancellationToken.ThrowIfCancellationRequested();
            TensorExpression piece = value.Rank == 0 ? value : value.Slice(0, row, Math.Min(step, rows - row));
            if (!test(piece.DType, piece.ToBytes()))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Looks at a tile on its way to the file.</summary>
    public void Inspect(PlannedTensor tensor, ReadOnlySpan<byte> bytes)
    {
        if (!FiniteCheck.IsFinite(tensor.Value.DType, bytes))
        {
            _refusals.Add(RefusalCategory.NonFinite, "Tensors hold NaN or infinity, or become infinite when they are scaled.", tensor.Value.Sources);
        }
    }

    /// <summary>Throws when a tile was not finite.</summary>
    /// <exception cref="ConversionRefusedException">With every such tensor.</exception>
    public void ThrowIfAny(string path)
    {
        if (!_refusals.IsEmpty)
        {
            throw new ConversionRefusedException(path, _refusals.ToList());
        }
    }
}
