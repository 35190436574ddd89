BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)
    $fixtures = [IO.Path]::Combine($Root, 'tests', 'Fixtures')
    $llama = [IO.Path]::Combine($fixtures, 'megatron', 'bases', 'llama-a')

    # A run as a trainer leaves it: numbered checkpoints, and notes beside them.
    function New-MegatronRun([string] $Path, [string[]] $Case = @('lora-tp1-f32', 'lora-tp2-f32')) {
        $null = New-Item -ItemType Directory $Path
        $number = 7
        foreach ($name in $Case) {
            $source = Get-ChildItem ([IO.Path]::Combine($fixtures, 'megatron', $name, 'checkpoint')) -Directory
            Copy-Item -Recurse $source.FullName ([IO.Path]::Combine($Path, 'iter_{0:d7}' -f $number++))
        }

        [IO.File]::WriteAllText((Join-Path $Path latest_checkpointed_iteration.txt), "$($number - 1)")
        [IO.File]::WriteAllText((Join-Path $Path latest_train_state.pt), 'x')
        $Path
    }
}

Describe 'ConvertTo-PeftAdapter' {
    BeforeEach {
        $work = New-Workspace (Join-Path $TestDrive ([guid]::NewGuid()))
        $out = Join-Path $work out
    }

    Context 'from mlx-lm' {
        It 'writes beside the source, and says what it did' {
            Copy-Item -Recurse ([IO.Path]::Combine($Samples, 'mlx-adapters', 'psalms')) $work
            $result = ConvertTo-PeftAdapter (Join-Path $work psalms) -BaseModel (Join-Path $work base) -Verify
            $result.FullName | Should -BeExactly (Join-Path $work psalms-peft)
            $result.Format | Should -BeExactly Peft
            $result.Rank | Should -Be 6
            $result.Scale | Should -Be 5
            $result.ModuleCount | Should -Be 21
            $result.VerifiedDifference | Should -Be 0
            $config = Get-Content (Join-Path $result.FullName adapter_config.json) | ConvertFrom-Json
            $config.lora_alpha | Should -Be 30
            $config.target_modules | Should -HaveCount 21
            $config.target_modules | Should -Contain 'model.layers.3.self_attn.q_proj'
        }

        It 'brings an adapter back as it was after a way through mlx-lm' {
            $source = [IO.Path]::Combine($work, 'adapters', 'bible')
            $rows = ConvertTo-MlxAdapter $source (Join-Path $work mlx) |
                ConvertTo-PeftAdapter -Destination $out -BaseModel (Join-Path $work base) |
                Compare-LoraAdapter -ReferencePath $source -BaseModel (Join-Path $work base)
            $rows | Should -HaveCount 28
            $rows.RelativeDifference | Select-Object -Unique | Should -Be 0
        }

        It 'gives MLX -> PEFT -> MLX the same tensors' {
            $mlx = ConvertTo-MlxAdapter ([IO.Path]::Combine($work, 'adapters', 'bible')) (Join-Path $work first)
            $again = $mlx | ConvertTo-PeftAdapter -Destination $out -BaseModel (Join-Path $work base) | ConvertTo-MlxAdapter -Destination (Join-Path $work second) -BaseModel (Join-Path $work base)
            (Get-FileHash (Join-Path $again.FullName adapters.safetensors)).Hash | Should -BeExactly (Get-FileHash (Join-Path $mlx.FullName adapters.safetensors)).Hash
        }

        It 'writes experts for transformers 4 or 5' {
            $adapter = [IO.Path]::Combine($fixtures, 'mlx', 'adapters', 'moe-qwen3-switch-only')
            $base = [IO.Path]::Combine($fixtures, 'mlx', 'models', 'qwen3-moe')
            (ConvertTo-PeftAdapter $adapter "$out-5" -BaseModel $base -Verify).Keys | Should -Contain 'model.layers.1.mlp.experts.gate_up_proj'
            (ConvertTo-PeftAdapter $adapter "$out-4" -BaseModel $base -TransformersVersion 4 -Verify).Keys | Should -Contain 'model.layers.1.mlp.experts.0.gate_proj'
            { ConvertTo-PeftAdapter $adapter "$out-3" -BaseModel $base -TransformersVersion 3 } | Should -Throw -ErrorId 'ParameterArgumentValidationError,*'
        }

        It 'refuses what PEFT cannot express' {
            $adapter = [IO.Path]::Combine($fixtures, 'mlx', 'adapters', 'dora-embedding')
            ConvertTo-PeftAdapter $adapter $out -BaseModel ([IO.Path]::Combine($fixtures, 'mlx', 'models', 'llama-untied')) -ErrorVariable problem -ErrorAction SilentlyContinue |
                Should -BeNullOrEmpty
            $problem[0].FullyQualifiedErrorId | Should -BeExactly 'ConversionRefused,Sway.PowerShell.Commands.ConvertToPeftAdapterCommand'
            $problem[0].Exception.Refusals.Category | Should -Contain DoraEmbedding
            Test-Path $out | Should -BeFalse
        }

        It 'writes nothing under -WhatIf' {
            ConvertTo-PeftAdapter ([IO.Path]::Combine($Samples, 'mlx-adapters', 'psalms')) $out -BaseModel (Join-Path $work base) -WhatIf | Should -BeNullOrEmpty
            Test-Path $out | Should -BeFalse
        }

        It 'records the name that -BaseName gives' {
            $null = ConvertTo-PeftAdapter ([IO.Path]::Combine($Samples, 'mlx-adapters', 'psalms')) $out -BaseModel (Join-Path $work base) -BaseName org/name
            (Get-Content (Join-Path $out adapter_config.json) | ConvertFrom-Json).base_model_name_or_path | Should -BeExactly org/name
        }
    }

    Context 'from Megatron' {
        It 'converts every checkpoint that Get-ChildItem lists, and passes over the notes beside them' {
            $run = New-MegatronRun (Join-Path $work 'run [1] ä')
            $results = Get-ChildItem -LiteralPath $run | ConvertTo-PeftAdapter -BaseModel $llama -Destination $out -Verify -ErrorVariable problem
            $problem | Should -BeNullOrEmpty
            $results.FullName | Should -Be (Join-Path $out iter_0000007), (Join-Path $out iter_0000008)
            $results.SourceFormat | Should -Be Megatron, Megatron
            $results.VerifiedDifference | Should -Be 0, 0
        }

        It 'takes a run''s folder for the iteration that its tracker names' {
            (ConvertTo-PeftAdapter (New-MegatronRun (Join-Path $work run)) $out -BaseModel $llama).Source | Should -BeExactly ([IO.Path]::Combine($work, 'run', 'iter_0000008'))
        }

        It 'goes on after a damaged checkpoint, and writes nothing for it' {
            $run = New-MegatronRun (Join-Path $work run)
            Remove-Item ([IO.Path]::Combine($run, 'iter_0000007', '__0_0.distcp'))
            $results = Get-ChildItem $run | ConvertTo-PeftAdapter -BaseModel $llama -Destination $out -ErrorVariable problem -ErrorAction SilentlyContinue
            (Split-Path -Leaf $results.FullName) | Should -BeExactly iter_0000008
            $problem | Should -HaveCount 1
            (Get-ChildItem $out).Name | Should -Be iter_0000008
        }

        It 'asks for the base model, and for alpha where nothing records it' {
            $run = New-MegatronRun (Join-Path $work run) lora-tp1-f32
            ConvertTo-PeftAdapter $run $out -NoBaseLookup -ErrorVariable problem -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
            $problem[0].Exception.Refusals.Category | Should -Contain NeedsBase
            Remove-Item ([IO.Path]::Combine($run, 'iter_0000007', 'run_config.yaml'))
            ConvertTo-PeftAdapter $run $out -BaseModel $llama -ErrorVariable problem -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
            $problem[0].Exception.Refusals.Category | Should -Contain MissingScale
            (ConvertTo-PeftAdapter $run $out -BaseModel $llama -Alpha 10).Scale | Should -Be 2.5
        }

        It 'is read by the other cmdlets as well' {
            $run = New-MegatronRun (Join-Path $work run) lora-tp2-f32
            $info = Get-LoraAdapterInfo $run
            $info.Format | Should -BeExactly Megatron
            $info.Ranks | Should -Be 4
            $peft = ConvertTo-PeftAdapter $run (Join-Path $work peft) -BaseModel $llama
            $mlx = ConvertTo-MlxAdapter $run (Join-Path $work mlx) -BaseModel $llama -Verify
            $mlx.VerifiedDifference | Should -Be 0
            $mlx.SourceFormat | Should -BeExactly Megatron
            $rows = Compare-LoraAdapter $run $peft.FullName -BaseModel $llama
            $rows | Should -HaveCount 14
            $rows.RelativeDifference | Select-Object -Unique | Should -Be 0
            $rows = $mlx | Compare-LoraAdapter -ReferencePath $peft.FullName -BaseModel $llama
            $rows.In | Select-Object -Unique | Should -BeExactly Both
            $rows.RelativeDifference | Select-Object -Unique | Should -Be 0
        }
    }
}
