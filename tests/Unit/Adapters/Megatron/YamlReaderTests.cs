using Sway.Adapters.Megatron;
using Sway.Unit.Support;

namespace Sway.Unit.Adapters.Megatron;

public sealed class YamlReaderTests
{
    [Fact]
    public void ReadsWhatPyYamlWrites()
    {
        YamlNode root = Read("""
            model:
              _target_: megatron.bridge.models.GPTProvider
              activation_func:
                _call_: false
                _target_: torch.nn.functional.silu
              backend:
                _args_:
                - 5
                - name: x
                  value: 'it''s: here'
                - - deep
              empty: ''
              nothing: null
              none: []
              shared: &id001
                a: 1
              again: *id001
              long: a text that goes
                on here
            peft:
              alpha: 1.5e-05
              params_to_save: !!set
                decoder.layers.0.weight: null
              target_modules:
              - '*.layers.1.*.linear_qkv'
              - linear_proj
            """);

        root["peft"]["alpha"].Text.ShouldBe("1.5e-05");
        root["peft"]["target_modules"].Items.Select(item => item.Text).ShouldBe(["*.layers.1.*.linear_qkv", "linear_proj"]);
        root["peft"]["params_to_save"].Fields.Keys.ShouldBe(["decoder.layers.0.weight"]);
        YamlNode model = root["model"];
        model["backend"]["_args_"].Items[1]["value"].Text.ShouldBe("it's: here");
        model["backend"]["_args_"].Items[2].Items[0].Text.ShouldBe("deep");
        model["activation_func"]["_target_"].Text.ShouldBe("torch.nn.functional.silu");
        model["empty"].Text.ShouldBe("");
        model["nothing"].Text.ShouldBeNull();
        model["shared"]["a"].Text.ShouldBe("1");
        model["again"].IsOpaque.ShouldBeTrue();
        model["long"].Text.ShouldBe("a text that goes on here");
        model["absent"].Text.ShouldBeNull();
    }

    [Theory]
    [InlineData("a: 1\n   b: 2\n c: 3")]
    [InlineData("a: 1\na: 2")]
    [InlineData("a:\n\tb: 2")]
    [InlineData("- 1\n- 2")]
    [InlineData("a: 'open")]
    [InlineData("text")]
    [InlineData("")]
    public void RefusesTheRest(string text) => Should.Throw<AdapterFormatException>(() => Read(text));

    [Fact]
    public void DeepNestingIsAnError() =>
        Should.Throw<AdapterFormatException>(() => Read("a:\n" + string.Concat(Enumerable.Repeat("- ", 5000)) + "x"));

    private static YamlNode Read(string text)
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("run_config.yaml");
        File.WriteAllText(path, text);
        return YamlReader.Read(path);
    }
}
