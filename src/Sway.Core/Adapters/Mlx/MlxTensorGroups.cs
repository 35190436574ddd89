using Sway.Tensors;

namespace Sway.Adapters.Mlx;

/// <summary>The tensors of one module in an mlx-lm adapter.</summary>
internal sealed class MlxTensorGroup(string path)
{
    public string Path => path;

    public TensorInfo? A { get; set; }

    public TensorInfo? B { get; set; }

    public TensorInfo? Magnitude { get; set; }

    /// <summary>True when the module is a stack of experts.</summary>
    public bool IsSwitch => B is { Shape.Length: 3 };

    /// <summary>True when experts are flattened: <c>lora_a (rank * experts, in)</c>, as mlx-lm before 0.28.3 wrote.</summary>
    public bool IsFlattened => IsSwitch && A is { Shape.Length: 2 };

    /// <summary>The rank by the second factor: <c>(rank, out)</c>, or <c>(experts, out, rank)</c> for a switch.</summary>
    public int Rank => checked((int)(IsSwitch ? B!.Shape[2] : B!.Shape[0]));

    public IEnumerable<string> TensorNames =>
        new[] { A, B, Magnitude }.OfType<TensorInfo>().Select(tensor => tensor.Name);

    /// <summary>Says why the two factors do not belong together; null when they do.</summary>
    public string? Mismatch()
    {
        if (A is null || B is null)
        {
            return "one of lora_a and lora_b is missing";
        }

        bool fits = (A.Shape.Length, B.Shape.Length) switch
        {
            (2, 2) => A.Shape[1] == B.Shape[0],
            (3, 3) => A.Shape[0] == B.Shape[0] && A.Shape[1] == B.Shape[2],
            (2, 3) => A.Shape[0] == B.Shape[0] * B.Shape[2],
            _ => false,
        };
        return fits ? null : $"lora_a {A.ShapeText} and lora_b {B.ShapeText} do not share a rank";
    }
}

/// <summary>Sorts the tensors of a file into modules and the rest.</summary>
internal sealed record MlxTensorGroups(IReadOnlyList<MlxTensorGroup> Modules, IReadOnlyList<TensorInfo> Extras)
{
    public static MlxTensorGroups Of(TensorFile file)
    {
        var modules = new List<MlxTensorGroup>();
        var byPath = new Dictionary<string, MlxTensorGroup>(StringComparer.Ordinal);
        var extras = new List<TensorInfo>();
        foreach (TensorInfo tensor in file.Tensors)
        {
            int dot = tensor.Name.LastIndexOf('.');
            string leaf = tensor.Name[(dot + 1)..];
            if (dot <= 0 || leaf is not ("lora_a" or "lora_b" or "m"))
            {
                extras.Add(tensor);
                continue;
            }

            string path = tensor.Name[..dot];
            if (!byPath.TryGetValue(path, out MlxTensorGroup? group))
            {
                group = new MlxTensorGroup(path);
                byPath.Add(path, group);
                modules.Add(group);
            }

            switch (leaf)
            {
                case "lora_a":
                    group.A = tensor;
                    break;
                case "lora_b":
                    group.B = tensor;
                    break;
                default:
                    group.Magnitude = tensor;
                    break;
            }
        }

        // A lone ".m" is a parameter of the base whose name happens to be m.
        foreach (MlxTensorGroup lone in modules.FindAll(group => group.A is null && group.B is null))
        {
            modules.Remove(lone);
            extras.Add(lone.Magnitude!);
        }

        modules.Sort((left, right) => ModulePathOrder.Compare(left.Path, right.Path));
        return new MlxTensorGroups(modules, extras);
    }
}
