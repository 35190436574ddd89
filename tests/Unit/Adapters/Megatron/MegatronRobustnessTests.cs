using Sway.Adapters;
using Sway.Adapters.Megatron;
using Sway.Unit.Support;

namespace Sway.Unit.Adapters.Megatron;

/// <summary>Damaged bytes anywhere in a checkpoint give tensors or a typed error.</summary>
public sealed class MegatronRobustnessTests
{
    [Theory]
    [InlineData(".metadata")]
    [InlineData("run_config.yaml")]
    [InlineData("__0_0.distcp")]
    public void AChangedByteGivesAnAdapterOrATypedError(string victim)
    {
        using var folder = new TemporaryFolder();
        MegatronFixture fixture = Copy(folder);
        byte[] whole = File.ReadAllBytes(folder.File(victim));
        var random = new Random(7);
        for (int round = 0; round < 150; round++)
        {
            byte[] copy = [.. whole];
            copy[random.Next(copy.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(folder.File(victim), copy);
            Open(folder, fixture);
        }
    }

    [Theory]
    [InlineData(".metadata")]
    [InlineData("__0_0.distcp")]
    public void ATruncatedFileIsAnError(string victim)
    {
        using var folder = new TemporaryFolder();
        MegatronFixture fixture = Copy(folder);
        byte[] whole = File.ReadAllBytes(folder.File(victim));

        // The last records of a shard hold the common state, which is not read; hence only the first half must fail.
        for (int length = 0; length < whole.Length / 2; length += 101)
        {
            File.WriteAllBytes(folder.File(victim), whole.AsSpan(0, length));
            Open(folder, fixture).ShouldBeFalse($"at {length} bytes");
        }
    }

    [Fact]
    public void EveryKnownArchitectureNamesItsFeedForwardOrAttention()
    {
        MegatronNameMap.Architectures.Count().ShouldBeGreaterThan(50);
        MegatronNameMap.ForArchitecture("LlamaForCausalLM")!.Find("decoder.layers.31.self_attention.linear_qkv")!.Names
            .ShouldBe(["model.layers.31.self_attn.q_proj", "model.layers.31.self_attn.k_proj", "model.layers.31.self_attn.v_proj"]);
        MegatronNameMap.ForArchitecture("Qwen3MoeForCausalLM")!.Find("decoder.layers.3.mlp.experts.12.linear_fc2")!.Names
            .ShouldBe(["model.layers.3.mlp.experts.12.down_proj"]);
        MegatronNameMap.ForArchitecture("GptOssForCausalLM")!.Find("decoder.layers.0.mlp.experts.0.linear_fc1")!.Rule.ShouldBe(RowRule.Refused);
        MegatronNameMap.ForArchitecture("LlamaForCausalLM")!.Find("decoder.layers.0.mlp.router").ShouldBeNull();
        MegatronNameMap.ForArchitecture("NoSuchModel").ShouldBeNull();
    }

    private static MegatronFixture Copy(TemporaryFolder folder)
    {
        var fixture = new MegatronFixture("lora-tp1-bf16");
        foreach (string file in Directory.GetFiles(fixture.Checkpoint))
        {
            File.Copy(file, folder.File(Path.GetFileName(file)));
        }

        return fixture;
    }

    private static bool Open(TemporaryFolder folder, MegatronFixture fixture)
    {
        try
        {
            using LoraAdapter adapter = MegatronAdapterReader.Open(folder.Path, new AdapterOpenOptions { BaseModel = fixture.Base });
            return AdapterWeightStream.Read(adapter).Sum(weight => weight.Bytes.Length) > 0 || adapter.Modules.Count == 0;
        }
        catch (SwayException)
        {
            return false;
        }
    }
}
