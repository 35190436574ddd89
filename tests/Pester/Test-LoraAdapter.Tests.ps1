BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)
    $work = New-Workspace (Join-Path $TestDrive work) bible, alice, untrained, broken
    $adapters = Join-Path $work adapters
}

Describe 'Test-LoraAdapter' {
    Context 'what it finds' {
        It 'passes a sound adapter' {
            $result = Test-LoraAdapter (Join-Path $adapters bible)
            $result.Passed | Should -BeTrue
            $result.Format | Should -BeExactly Peft
            $result.ModuleCount | Should -Be 28
            $result.ErrorCount | Should -Be 0
        }

        It 'names the tensor that holds a NaN, and what to do' {
            $result = Test-LoraAdapter (Join-Path $adapters broken)
            $result.Passed | Should -BeFalse
            $finding = $result.Findings | Where-Object Severity -eq Error
            $finding.Category | Should -BeExactly NonFinite
            $finding.Modules | Should -Match 'layers\.2\.self_attn\.v_proj\.lora_B'
            $finding.Remedy | Should -Not -BeNullOrEmpty
        }

        It 'warns of an adapter that changes nothing' {
            $result = Test-LoraAdapter (Join-Path $adapters untrained)
            $result.Passed | Should -BeTrue
            $result.Findings.Category | Should -Contain Untrained
        }

        It 'judges the readers of an mlx-lm adapter' {
            $result = Test-LoraAdapter (Join-Path $Samples mlx-adapters psalms) -BaseModel (Join-Path $Samples base)
            $result.Passed | Should -BeTrue
            $result.Readers.Reader | Should -Contain 'mlx-swift-lm'
            ($result.Readers | Where-Object Reader -like 'mlx-lm*').IsRight | Should -Be $true, $true
        }

        It 'gives a result, and no error, for a damaged adapter' {
            $damaged = New-Workspace (Join-Path $TestDrive damaged) alice, bible
            Edit-AdapterTruncated (Join-Path $damaged adapters bible)
            $results = Get-ChildItem (Join-Path $damaged adapters) | Test-LoraAdapter -ErrorVariable problem
            $problem | Should -BeNullOrEmpty
            $results.Name | Should -Be alice, bible
            $results.Passed | Should -Be $true, $false
            $results[1].Findings[0].Category | Should -BeExactly AdapterFormat
        }

        It 'shows tables of at most 120 columns' {
            $text = Test-LoraAdapter (Join-Path $adapters *) | Out-String -Width 120
            $text | Should -Match 'Name +Format +Passed'
            $text | Should -Match 'broken +Peft +False +1'
            (Test-LoraAdapter (Join-Path $adapters broken)).Findings | Out-String -Width 120 | Should -Match 'Severity +Category'
        }

        It 'declares its output type' {
            (Get-Command Test-LoraAdapter).OutputType.Name | Should -BeExactly 'Sway.Validation.LoraAdapterTestResult'
        }
    }

    Context '-ReferencePath' {
        BeforeAll {
            $converted = ConvertTo-MlxAdapter (Join-Path $adapters bible) (Join-Path $TestDrive bible-mlx)
        }

        It 'proves that a conversion kept the function' {
            $result = $converted | Test-LoraAdapter -ReferencePath (Join-Path $adapters bible) -BaseModel (Join-Path $work base)
            $result.Passed | Should -BeTrue
            $result.Reference.IsSame | Should -BeTrue
            $result.Reference.MaxAbsoluteDifference | Should -Be 0
            $result.Reference.Modules | Should -HaveCount 28
        }

        It 'says how far another adapter is away' {
            $result = Test-LoraAdapter (Join-Path $adapters bible) -ReferencePath (Join-Path $adapters untrained)
            $result.Passed | Should -BeFalse
            $result.Findings.Category | Should -Contain Difference
            $result.Reference.MaxAbsoluteDifference | Should -BeGreaterThan 0
        }

        It 'takes a tolerance' {
            (Test-LoraAdapter (Join-Path $adapters bible) -ReferencePath (Join-Path $adapters bible) -Tolerance 0).Passed | Should -BeTrue
            { Test-LoraAdapter (Join-Path $adapters bible) -Tolerance -1 } | Should -Throw -ErrorId 'ParameterArgumentValidationError,*'
        }

        It 'must exist' {
            { Test-LoraAdapter (Join-Path $adapters bible) -ReferencePath (Join-Path $adapters nowhere) } | Should -Throw -ErrorId 'PathNotFound,*'
        }
    }

    Context 'paths' {
        It 'takes folders from the pipeline, and the output of Get-LoraAdapterInfo' {
            (Get-ChildItem $adapters -Directory | Test-LoraAdapter).Name | Should -Be alice, bible, broken, untrained
            (Get-LoraAdapterInfo (Join-Path $adapters bible) | Test-LoraAdapter).Name | Should -BeExactly bible
        }

        It 'keeps brackets, blanks and other scripts apart: <_>' -ForEach 'a[1]', 'a b', 'Ädäpter' {
            $folder = Join-Path $TestDrive brackets
            $null = New-Item -ItemType Directory $folder -Force
            Copy-Item -Recurse (Join-Path $Samples adapters alice) ([IO.Path]::Combine($folder, $_))
            $item = Get-Item -LiteralPath ([IO.Path]::Combine($folder, $_))
            ($item | Test-LoraAdapter).Name | Should -BeExactly $_
            ($item | Test-LoraAdapter -ReferencePath $item).Reference.IsSame | Should -BeTrue
            Remove-Item $folder -Recurse
        }

        It 'reports a missing path' {
            Test-LoraAdapter (Join-Path $adapters nowhere) -ErrorVariable problem -ErrorAction SilentlyContinue
            $problem[0].FullyQualifiedErrorId | Should -BeExactly 'PathNotFound,Sway.PowerShell.Commands.TestLoraAdapterCommand'
        }

        It 'refuses -BaseModel together with -NoBaseLookup' {
            { Test-LoraAdapter (Join-Path $adapters bible) -BaseModel $work -NoBaseLookup } | Should -Throw -ErrorId 'ParametersExclude,*'
        }
    }

    It 'stops with the pipeline, and runs in parallel' {
        (Get-ChildItem $adapters -Directory | Test-LoraAdapter | Select-Object -First 1).Name | Should -BeExactly alice
        $names = Get-ChildItem $adapters -Directory | ForEach-Object -Parallel {
            Import-Module $using:Manifest
            ($_ | Test-LoraAdapter).Name
        } | Sort-Object
        $names | Should -Be alice, bible, broken, untrained
    }
}
