using Sway.Adapters;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Validation;

/// <summary>Compares the modules of an mlx-lm adapter with the base model: names by its map, sizes by its weights.</summary>
internal static class BaseChecks
{
    public static void Run(LoraAdapter adapter, BaseModel model, FindingList findings)
    {
        if (model.Map is not { } map)
        {
            findings.Add(new Refusal(RefusalCategory.UnknownArchitecture, $"The base's model type {model.ModelType} has no verified module map, so that names and sizes are not compared."));
            return;
        }

        string[] unknown = [.. adapter.Modules.Where(module => map.FindMlx(module.Path).Count == 0).Select(module => module.Path)];
        if (unknown.Length > 0)
        {
            findings.Add(new Refusal(RefusalCategory.UnknownModule, $"The model type {map.ModelType} has no such modules in mlx-lm.") { Modules = unknown });
        }

        string[] outside = [.. adapter.Modules
            .Where(module => ModulePath.TrySplitLayer(module.Path, out int layer, out _) && model.LayerCount is { } count && layer >= count)
            .Select(module => module.Path)];
        if (outside.Length > 0)
        {
            findings.Add(new Refusal(RefusalCategory.UnknownModule, $"The base has only {model.LayerCount} layers.") { Modules = outside });
        }

        foreach (LoraModule module in adapter.Modules)
        {
            if (Mismatch(map, model, module) is { } mismatch)
            {
                findings.Add(new Refusal(RefusalCategory.ShapeMismatch, mismatch) { Modules = module.SourceTensors });
            }
        }
    }

    private static string? Mismatch(ModuleMap map, BaseModel model, LoraModule module)
    {
        if (module.Kind == LoraModuleKind.Experts || map.FindMlx(module.Path) is not [var match, ..]
            || match.Rule is not { Rows.IsAll: true, IsPerExpert: false, Layout: ExpertLayout.None }
            || model.FindWeight(match.Path) is not { Shape: [var rows, var columns] } weight || !weight.DType.IsReadableFloat())
        {
            return null;
        }

        (long outputs, long inputs) = match.Rule.IsConv1D ? (columns, rows) : (rows, columns);
        (long givenOut, long givenIn) = module.Kind == LoraModuleKind.Embedding
            ? (module.A.Shape[^1], module.B.Shape[^2])
            : (module.B.Shape[^2], module.A.Shape[^1]);
        return outputs == givenOut && inputs == givenIn ? null : $"{module.Path} is ({outputs}, {inputs}) in the base and ({givenOut}, {givenIn}) in the adapter.";
    }
}
