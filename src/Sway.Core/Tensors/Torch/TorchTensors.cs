using System.Collections.Immutable;

namespace Sway.Tensors.Torch;

/// <summary>A tensor as torch pickles it: a strided window of a storage.</summary>
/// <param name="DType">The element type, of the storage.</param>
/// <param name="StorageKey">The storage's name in the file.</param>
/// <param name="StorageElements">The storage's size in elements.</param>
/// <param name="Offset">The first element.</param>
/// <param name="Shape">Dimensions, outermost first.</param>
/// <param name="Strides">In elements.</param>
internal sealed record TorchTensor(
    DType DType, string StorageKey, long StorageElements, long Offset, ImmutableArray<long> Shape, ImmutableArray<long> Strides);

/// <summary>Turns the recorded calls of a torch pickle into tensors. What the calls mean: torch/_utils.py.</summary>
internal static class TorchTensors
{
    private const int MaximumRank = 8;

    /// <summary>The globals of a file that holds tensors in dictionaries, lists and tuples.</summary>
    public static IPickleGlobals Globals { get; } = new TensorGlobals();

    /// <summary>Reads a recorded call as a tensor that lies within its storage.</summary>
    /// <param name="value">What the pickle gave.</param>
    /// <param name="name">For messages.</param>
    /// <param name="path">For messages.</param>
    public static TorchTensor Read(object? value, string name, string path)
    {
        while (value is PickleInstance parameter && parameter.Type.Is("torch._utils", "_rebuild_parameter"))
        {
            value = parameter.Arguments.Items is [{ } inner, ..] ? inner : null;
        }

        if (value is not PickleInstance { State: null } call
            || !call.Type.Is("torch._utils", "_rebuild_tensor_v2")
            || call.Arguments.Items is not [PicklePersistent { Id: PickleTuple id }, long offset, var shape, var strides, bool, PickleDictionary hooks, ..]
            || hooks.Pairs.Count > 0)
        {
            throw Damaged("is not a plain tensor", name, path);
        }

        if (id.Items is not ["storage", PickleGlobal type, string key, string, long elements, ..]
            || (id.Items.Length > 5 && id.Items[5] is not null)
            || !TryGetDType(type, out DType dtype)
            || elements < 0)
        {
            throw Damaged("has no storage of a known kind", name, path);
        }

        var tensor = new TorchTensor(dtype, key, elements, offset, Sizes(shape, name, path), Sizes(strides, name, path));
        CheckBounds(tensor, name, path);
        return tensor;
    }

    /// <summary>A dimension list: <c>torch.Size</c> or a tuple of integers.</summary>
    public static ImmutableArray<long> Sizes(object? value, string name, string path)
    {
        if (value is PickleInstance size && size.Type.Is("torch", "Size"))
        {
            value = size.Arguments.Items is [var only] ? only : PickleTuple.Empty;
        }

        object?[] items = value switch
        {
            PickleTuple tuple => tuple.Items,
            PickleList list => [.. list.Items],
            _ => throw Damaged("has a shape that is no tuple", name, path),
        };
        return items.Length <= MaximumRank && Array.TrueForAll(items, static item => item is long and >= 0)
            ? [.. items.Select(static item => (long)item!)]
            : throw Damaged("has a negative or oversized shape, stride or offset", name, path);
    }

    // Dividing instead of multiplying keeps hostile sizes from wrapping around.
    private static void CheckBounds(TorchTensor tensor, string name, string path)
    {
        if (tensor.Strides.Length != tensor.Shape.Length || tensor.Offset < 0 || tensor.Offset > tensor.StorageElements)
        {
            throw Damaged("does not lie in its storage", name, path);
        }

        if (tensor.Shape.Contains(0))
        {
            return;
        }

        long last = tensor.Offset;
        long count = 1;
        for (int axis = 0; axis < tensor.Shape.Length; axis++)
        {
            long steps = tensor.Shape[axis] - 1;
            long room = tensor.StorageElements - 1 - last;
            if (room < 0
                || (steps > 0 && tensor.Strides[axis] > room / steps)
                || tensor.Shape[axis] > Math.Max(tensor.StorageElements, 1) / count)
            {
                throw Damaged($"of shape {TensorInfo.FormatShape(tensor.Shape)} is larger than its storage of {tensor.StorageElements} elements", name, path);
            }

            last += steps * tensor.Strides[axis];
            count *= tensor.Shape[axis];
        }

        if (last >= tensor.StorageElements)
        {
            throw Damaged("does not lie in its storage", name, path);
        }
    }

    private static bool TryGetDType(PickleGlobal type, out DType dtype)
    {
        DType? found = type.Module == "torch" ? type.Name switch
        {
            "FloatStorage" => DType.F32,
            "BFloat16Storage" => DType.BF16,
            "HalfStorage" => DType.F16,
            "DoubleStorage" => DType.F64,
            "ByteStorage" => DType.U8,
            "CharStorage" => DType.I8,
            "ShortStorage" => DType.I16,
            "IntStorage" => DType.I32,
            "LongStorage" => DType.I64,
            "BoolStorage" => DType.Bool,
            "Float8_e4m3fnStorage" => DType.F8E4M3,
            "Float8_e5m2Storage" => DType.F8E5M2,
            _ => null,
        } : null;
        dtype = found.GetValueOrDefault();
        return found is not null;
    }

    private static AdapterFormatException Damaged(string what, string name, string path) =>
        new($"{path}: {name} {what}.") { Path = path, Tensors = [name] };

    private sealed class TensorGlobals : IPickleGlobals
    {
        public bool Allows(string module, string name) => module switch
        {
            "torch._utils" => name is "_rebuild_tensor_v2" or "_rebuild_parameter",
            "torch" => name is "Size" || TryGetDType(new PickleGlobal(module, name), out _),
            "collections" => name is "OrderedDict",
            _ => false,
        };
    }
}
