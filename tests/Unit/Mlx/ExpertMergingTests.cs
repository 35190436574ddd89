using System.Text.Json;
using Sway.Architectures;
using Sway.Conversion;
using Sway.Merging;
using Sway.Tensors;
using Sway.Unit.Conversion;
using Sway.Unit.Support;

namespace Sway.Unit.Mlx;

/// <summary>Experts are merged into whatever layout the base's files have.</summary>
public sealed class ExpertMergingTests
{
    [Fact]
    public void AStackOfExpertsGetsPeftsBits()
    {
        using var folder = new TemporaryFolder();
        string model = Stacked(MlxFixture.Model(MlxFixture.Expected("merge", "peft-lora-moe-bf16")), folder, DType.BF16);

        string merged = Merge(Path.Combine(MlxFixture.Folder("merge", "peft-lora-moe-bf16"), "adapter"), model, folder.File("out"));

        using SafetensorsFile truth = SafetensorsFile.Open(Path.Combine(MlxFixture.Folder("merge", "peft-lora-moe-bf16"), "merged_changed.safetensors"));
        using SafetensorsFile written = SafetensorsFile.Open(Path.Combine(merged, "model.safetensors"));
        Assert.All(truth.Tensors, tensor => Assert.Equal(truth.Get(tensor).ToBytes(), written.Get(tensor.Name).ToBytes()));
    }

    [Fact]
    public void OneAdapterGivesTheSameWeightsInEveryForm()
    {
        using var folder = new TemporaryFolder();
        string source = MlxFixture.Folder("adapters", "moe-qwen3-switch-only");
        string model = Stacked(Repository.Fixture("mlx", "models", "qwen3-moe-bf16"), folder, DType.F32);
        var outputs = new List<byte[]>();
        foreach (int version in (int[])[4, 5])
        {
            var options = new ConversionOptions { Target = ConversionTarget.Peft, BaseModel = model, TransformersVersion = version };
            string peft = AdapterConverter.Convert(source, folder.File($"peft{version}"), options, cancellationToken: TestContext.Current.CancellationToken).FullName;
            outputs.Add(File.ReadAllBytes(Path.Combine(Merge(peft, model, folder.File($"out{version}")), "model.safetensors")));
        }

        outputs[1].ShouldBe(outputs[0]);
        using SafetensorsFile first = SafetensorsFile.Open(Path.Combine(Merge(source, model, folder.File("mlx")), "model.safetensors"));
        using SafetensorsFile second = SafetensorsFile.Open(Path.Combine(folder.File("out4"), "model.safetensors"));
        foreach (TensorInfo tensor in second.Tensors)
        {
            MlxFixture.AssertClose(second.Get(tensor).ToDoubleArray(), first.Get(tensor.Name).ToDoubleArray(), tensor.Name);
        }
    }

    /// <summary>Into a base of zeros, so that each merged weight is the delta: parameters (experts, in, out) with gate and up
    /// interleaved (gpt_oss) or beside each other (llama4), and (experts, out, in).</summary>
    [Theory]
    [InlineData("names/tp-gptoss-both-attn")]
    [InlineData("names/tp-llama4-both-attn")]
    [InlineData("names/tp-qwen3moe-both-attn")]
    [InlineData("names/tp18-qwen3moe-square")]
    public void BareParametersGetTheDeltaInTheirOwnLayout(string name)
    {
        using var folder = new TemporaryFolder();
        GalleryCase item = GalleryCase.Open(name);
        using BaseModel config = BaseModel.Open(item.Base);
        (string Mlx, ModuleMatch Match, long[] Size)[] modules = [.. Modules(item, config.Map!)];
        string model = folder.File("base");
        Directory.CreateDirectory(model);
        File.Copy(Path.Combine(item.Base, "config.json"), Path.Combine(model, "config.json"));
        SafetensorsWriter.Write(
            Path.Combine(model, "model.safetensors"),
            [.. modules.Select(Zeros).DistinctBy(tensor => tensor.Name)],
            cancellationToken: TestContext.Current.CancellationToken);

        using SafetensorsFile merged = SafetensorsFile.Open(Path.Combine(Merge(item.Source, model, folder.File("out")), "model.safetensors"));

        using SafetensorsFile truth = SafetensorsFile.Open(Path.Combine(item.Folder, "expected_delta.safetensors"));
        foreach ((string mlx, ModuleMatch match, long[] size) in modules)
        {
            TensorExpression weight = match.Rule.Layout == ExpertLayout.None ? merged.Get(match.Path + ".weight") : merged.Get(match.Path);
            if (match.Rule.Layout == ExpertLayout.InOut)
            {
                weight = weight.Transpose();
            }

            if (!match.Rule.Rows.IsAll)
            {
                RowPart part = match.Rule.Rows;
                weight = part.Interleaved ? weight.Slice(1, part.Index, size[1], part.Of) : weight.Slice(1, part.Index * size[1], size[1]);
            }

            MlxFixture.AssertClose(truth.Get(mlx).ToDoubleArray(), weight.ToDoubleArray(), mlx);
        }
    }

    private static IEnumerable<(string Mlx, ModuleMatch Match, long[] Size)> Modules(GalleryCase item, ModuleMap map)
    {
        foreach (JsonProperty module in item.Expected.GetProperty("modules").EnumerateObject())
        {
            long Size(string name) => module.Value.GetProperty(name).GetInt64();
            bool experts = module.Value.GetProperty("type").GetString() == "switch";
            ModuleMatch match = map.FindMlx(module.Name).First(match => (match.Rule.Layout != ExpertLayout.None) == experts && !match.Rule.IsPerExpert);
            yield return (module.Name, match, experts ? [Size("experts"), Size("out"), Size("in")] : [Size("out"), Size("in")]);
        }
    }

    private static PlannedTensor Zeros((string Mlx, ModuleMatch Match, long[] Size) module)
    {
        (_, ModuleMatch match, long[] size) = module;
        return match.Rule.Layout switch
        {
            ExpertLayout.None => new PlannedTensor(match.Path + ".weight", TensorExpression.Zeros(DType.F32, [.. size])),
            ExpertLayout.InOut => new PlannedTensor(match.Path, TensorExpression.Zeros(DType.F32, [size[0], size[2], size[1] * match.Rule.Rows.Of])),
            _ => new PlannedTensor(match.Path, TensorExpression.Zeros(DType.F32, [size[0], size[1] * match.Rule.Rows.Of, size[2]])),
        };
    }

    /// <summary>The base as transformers 5 saves it: all experts of a layer in one tensor, gate above up.</summary>
    private static string Stacked(string model, TemporaryFolder folder, DType dtype)
    {
        string output = folder.File("stacked");
        Directory.CreateDirectory(output);
        File.Copy(Path.Combine(model, "config.json"), Path.Combine(output, "config.json"));
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(model, "model.safetensors"));
        var tensors = file.Tensors.Where(tensor => !tensor.Name.Contains(".experts.", StringComparison.Ordinal)).Select(tensor => new PlannedTensor(tensor.Name, file.Get(tensor).Cast(dtype))).ToList();
        foreach (string owner in file.Tensors.Where(tensor => tensor.Name.Contains(".experts.0.gate_proj.", StringComparison.Ordinal)).Select(tensor => tensor.Name.Split(".0.gate_proj.")[0]))
        {
            int experts = file.Tensors.Count(tensor => tensor.Name.StartsWith(owner + ".", StringComparison.Ordinal)) / 3;
            TensorExpression All(string leaf) => TensorExpression.Stack(0, [.. Enumerable.Range(0, experts).Select(e => file.Get($"{owner}.{e}.{leaf}.weight").Cast(dtype))]);
            tensors.Add(new PlannedTensor(owner + ".gate_up_proj", TensorExpression.Concatenate(1, [All("gate_proj"), All("up_proj")])));
            tensors.Add(new PlannedTensor(owner + ".down_proj", All("down_proj")));
        }

        SafetensorsWriter.Write(Path.Combine(output, "model.safetensors"), tensors, cancellationToken: TestContext.Current.CancellationToken);
        return output;
    }

    private static string Merge(string adapter, string model, string output) => AdapterMerger.Merge(
        adapter, output, new MergeOptions { BaseModel = model }, cancellationToken: TestContext.Current.CancellationToken).FullName;
}
